use proptest::prelude::*;

use super::*;

#[test]
fn the_earliest_owner_is_due_first() {
    let mut deadlines = Deadlines::new(5);
    assert_eq!(deadlines.earliest(), None);
    deadlines.set(3, Some(Instant(30)));
    deadlines.set(0, Some(Instant(20)));
    deadlines.set(4, Some(Instant(10)));
    assert_eq!(deadlines.earliest(), Some(Instant(10)));
    assert_eq!(deadlines.pop_due(Instant(9)), None);
    assert_eq!(deadlines.pop_due(Instant(20)), Some(4));
    assert_eq!(deadlines.pop_due(Instant(20)), Some(0));
    assert_eq!(deadlines.pop_due(Instant(20)), None);
    deadlines.set(3, None);
    assert_eq!(deadlines.earliest(), None);
}

#[test]
fn advance_never_puts_a_deadline_off() {
    let mut deadlines = Deadlines::new(1);
    deadlines.advance(0, Instant(10));
    deadlines.advance(0, Instant(20));
    assert_eq!(deadlines.earliest(), Some(Instant(10)));
    deadlines.advance(0, Instant(5));
    assert_eq!(deadlines.earliest(), Some(Instant(5)));
}

#[test]
fn an_instant_does_not_overflow() {
    assert_eq!(later(Instant(u64::MAX - 1), 5), Instant(u64::MAX));
}

proptest! {
    #[test]
    fn the_tree_agrees_with_a_plain_minimum(
        sets in proptest::collection::vec((0_usize..7, proptest::option::of(0_u64..50)), 1..100)
    ) {
        let mut deadlines = Deadlines::new(7);
        let mut plain = [None; 7];
        for (owner, at) in sets {
            deadlines.set(owner, at.map(Instant));
            plain[owner] = at;
            prop_assert_eq!(deadlines.earliest().map(|at| at.0), plain.iter().flatten().min().copied());
        }
    }
}
