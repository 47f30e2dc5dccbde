use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::broker::{
    packet::{Qos, RetainHandling},
    topic::TopicFilter,
};

const OPTIONS: SubscribeOptions = SubscribeOptions {
    qos: Qos::AtMostOnce,
    no_local: false,
    retain_as_published: false,
    retain_handling: RetainHandling::Always,
};

fn insert(router: &mut Router, session: u32, filter: &str) -> Result<u32, Full> {
    router.insert(
        session,
        &Subscribed::parse(filter).expect("valid"),
        OPTIONS,
        0,
    )
}

fn sessions(router: &Router, topic: &str) -> Vec<u32> {
    let mut hits = Vec::new();
    router.collect(topic, &mut hits);
    let mut sessions: Vec<u32> = hits
        .iter()
        .map(|hit| match hit {
            Hit::One(number) => router.get(*number).expect("it is there").session,
            Hit::Shared(group) => 1_000 + group,
        })
        .collect();
    sessions.sort_unstable();
    sessions
}

#[test]
fn nodes_go_with_the_last_subscription() {
    let mut router = Router::new(16, 16, 4, 1);
    let first = insert(&mut router, 1, "a/b/c").expect("room");
    let second = insert(&mut router, 2, "a/b").expect("room");
    let third = insert(&mut router, 3, "a/+/#").expect("room");
    assert_eq!(router.node_count(), 5);
    router.remove(first);
    assert_eq!(router.node_count(), 4);
    router.remove(second);
    router.remove(third);
    assert_eq!((router.node_count(), router.len()), (0, 0));
}

#[test]
fn a_full_table_refuses_and_leaves_nothing_behind() {
    let mut router = Router::new(3, 2, 1, 1);
    assert_eq!(insert(&mut router, 1, "a/b/c/d"), Err(Full));
    assert_eq!(router.node_count(), 0);
    assert!(insert(&mut router, 1, "$share/g/a").is_ok());
    assert_eq!(insert(&mut router, 1, "$share/h/b"), Err(Full));
    assert_eq!(router.node_count(), 1);
    assert!(insert(&mut router, 1, "b").is_ok());
    assert_eq!(insert(&mut router, 2, "b"), Err(Full));
}

#[test]
fn a_filter_is_written_as_it_was_given() {
    let mut router = Router::new(64, 16, 4, 1);
    for filter in ["a", "/", "a//b", "+/#", "$share/g/a/+", "温度/#"] {
        let number = insert(&mut router, 1, filter).expect("room");
        let mut out = Vec::new();
        router.write_filter(number, &mut out);
        assert_eq!(core::str::from_utf8(&out), Ok(filter));
    }
}

#[test]
fn members_of_a_group_take_turns_whoever_leaves() {
    let mut router = Router::new(8, 8, 2, 1);
    let numbers: Vec<u32> = (0..3)
        .map(|session| insert(&mut router, session, "$share/g/t").expect("room"))
        .collect();
    let mut hits = Vec::new();
    router.collect("t", &mut hits);
    let [Hit::Shared(group)] = hits[..] else {
        panic!("one group: {hits:?}")
    };
    let turns = |router: &mut Router, count: usize| -> Vec<u32> {
        (0..count)
            .map(|_| {
                let number = router.take_turn(group);
                router.get(number).expect("there").session
            })
            .collect()
    };
    assert_eq!(turns(&mut router, 4), [2, 1, 0, 2]);
    router.remove(numbers[1]);
    assert_eq!(turns(&mut router, 3), [0, 2, 0]);
    assert_eq!(router.next_member(group, numbers[0]), numbers[2]);
    router.remove(numbers[0]);
    assert_eq!(
        (turns(&mut router, 2), router.member_count(group)),
        (vec![2, 2], 1)
    );
    router.remove(numbers[2]);
    assert_eq!(router.node_count(), 0);
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("a"), Just("b"), Just(""), Just("+"), Just("$x")];
    (proptest::collection::vec(level, 1..4), any::<bool>()).prop_map(|(mut levels, all)| {
        if all {
            levels.push("#");
        }
        levels.join("/")
    })
}

proptest! {
    #[test]
    fn the_tree_agrees_with_matching_one_by_one(
        steps in proptest::collection::vec((any::<bool>(), 0_u32..6, filter()), 1..60),
        topics in proptest::collection::vec("(a|b|\\$x|)(/(a|b|c|)){0,3}", 1..8),
    ) {
        let mut router = Router::new(256, 64, 4, 99);
        let mut plain: BTreeMap<(u32, String), u32> = BTreeMap::new();
        for (add, session, filter) in steps {
            let key = (session, filter);
            let valid = TopicFilter::parse(&key.1).is_ok();
            match plain.get(&key).copied() {
                None if add && valid => {
                    let number = insert(&mut router, session, &key.1).expect("room");
                    plain.insert(key, number);
                }
                Some(number) if !add => {
                    router.remove(number);
                    plain.remove(&key);
                }
                _ => {}
            }
        }
        for topic in topics {
            let mut expected: Vec<u32> = plain
                .keys()
                .filter(|(_, filter)| TopicFilter::parse(filter).is_ok_and(|filter| filter.matches(&topic)))
                .map(|(session, _)| *session)
                .collect();
            expected.sort_unstable();
            prop_assert_eq!(sessions(&router, &topic), expected, "{}", topic);
        }
        for number in plain.into_values() {
            router.remove(number);
        }
        prop_assert_eq!(router.node_count(), 0);
    }
}
