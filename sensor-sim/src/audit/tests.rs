use super::*;
use crate::ledger::{LedgerWriter, Run};

/// A ledger of one device with the signals a and b, told as (stream, time, value, expectation, acknowledged).
fn ledger(sent: &[(u32, i64, f64, Expectation, bool)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut ledger = LedgerWriter::create(&mut bytes).unwrap();
    ledger.run(&Run {
        boot: 1,
        seed: 0,
        start: 0,
        command: "",
    });
    ledger.device("d");
    ledger.stream(0, &["a"]);
    ledger.stream(0, &["b"]);
    for (at, (stream, time, value, expectation, is_acknowledged)) in sent.iter().enumerate() {
        let sequence = at as u32 + 1;
        ledger.sent(*stream, sequence, *time, &[*value], *expectation);
        if *is_acknowledged {
            ledger.acknowledged(0, sequence);
        }
    }
    ledger.commit().unwrap();
    bytes
}

/// Five readings of `a`, at 10 to 50, with a tenth of that as value.
fn five() -> Vec<u8> {
    ledger(&[1, 2, 3, 4, 5].map(|at| (0, at * 10, at as f64, Expectation::Kept, true)))
}

const fn seen(time: i64, value: f64) -> Observation<'static> {
    Observation {
        device: "d",
        signal: "a",
        time: Some(time),
        value: Some(value),
    }
}

const fn timeless(value: f64) -> Observation<'static> {
    Observation {
        device: "d",
        signal: "a",
        time: None,
        value: Some(value),
    }
}

fn account(ledgers: &[Vec<u8>], sees_repeats: bool, observations: &[Observation<'_>]) -> Account {
    let mut audit = Audit::default();
    for ledger in ledgers {
        audit.read(ledger).unwrap();
    }
    let witness = audit.witness("w", sees_repeats);
    for observation in observations {
        audit.see(witness, observation);
    }
    audit.close(witness)
}

/// The account as `present lost doubled reordered changed unexplained refused missing`.
#[track_caller]
fn check(ledger: Vec<u8>, observations: &[Observation<'_>], expected: [u64; 8]) {
    let it = account(&[ledger], false, observations);
    let faults = it.faults().map(|(_, count)| count.count);
    let [lost, doubled, reordered, changed, unexplained] = faults;
    let got = [
        it.present,
        lost,
        doubled,
        reordered,
        changed,
        unexplained,
        it.refused,
        it.missing_unacknowledged,
    ];
    assert_eq!(got, expected, "{it:?}");
}

#[test]
fn all_that_was_sent_and_came_once_in_order_is_clean() {
    let all = [1, 2, 3, 4, 5].map(|at| seen(at * 10, at as f64));
    check(five(), &all, [5, 0, 0, 0, 0, 0, 0, 0]);
    assert!(account(&[five()], false, &all).is_clean());
}

#[test]
fn each_fault_is_counted_as_what_it_is() {
    let (one, two, three, four, five_) = (
        seen(10, 1.0),
        seen(20, 2.0),
        seen(30, 3.0),
        seen(40, 4.0),
        seen(50, 5.0),
    );
    check(five(), &[one, two, four, five_], [4, 1, 0, 0, 0, 0, 0, 0]);
    check(
        five(),
        &[one, two, three, two, four, five_],
        [5, 0, 1, 0, 0, 0, 0, 0],
    );
    check(
        five(),
        &[one, three, two, four, five_],
        [5, 0, 0, 1, 0, 0, 0, 0],
    );
    check(
        five(),
        &[five_, one, two, three, four],
        [5, 0, 0, 4, 0, 0, 0, 0],
    );
    check(
        five(),
        &[one, seen(20, 2.5), three, four, five_],
        [5, 0, 0, 0, 1, 0, 0, 0],
    );
    check(
        five(),
        &[one, two, three, four, five_, seen(60, 6.0)],
        [5, 0, 0, 0, 0, 1, 0, 0],
    );
    let stranger = Observation { device: "x", ..one };
    check(
        five(),
        &[one, two, three, four, five_, stranger],
        [5, 0, 0, 0, 0, 1, 0, 0],
    );
    check(five(), &[], [0, 5, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_first_that_is_lost_is_named_with_its_sequence_and_time() {
    let it = account(&[five()], false, &[seen(10, 1.0), seen(40, 4.0)]);
    let first = &it.lost.cases[0];
    assert_eq!(
        (first.sequence, first.time, first.device.as_str()),
        (Some(2), Some(20), "d")
    );
}

#[test]
fn what_was_not_acknowledged_may_be_missing_or_not() {
    let sent = [
        (0, 10, 1.0, Expectation::Kept, true),
        (0, 20, 2.0, Expectation::Kept, false),
    ];
    check(ledger(&sent), &[seen(10, 1.0)], [1, 0, 0, 0, 0, 0, 0, 1]);
    check(
        ledger(&sent),
        &[seen(10, 1.0), seen(20, 2.0)],
        [2, 0, 0, 0, 0, 0, 0, 0],
    );
}

#[test]
fn what_may_be_refused_is_not_lost() {
    let sent = [
        (0, 10, f64::NAN, Expectation::Refusable, true),
        (0, 20, 2.0, Expectation::Kept, true),
    ];
    check(ledger(&sent), &[seen(20, 2.0)], [1, 0, 0, 0, 0, 0, 1, 0]);
    check(
        ledger(&sent),
        &[seen(10, f64::NAN), seen(20, 2.0)],
        [2, 0, 0, 0, 0, 0, 0, 0],
    );
}

#[test]
fn a_repeat_comes_out_once_or_where_nobody_takes_it_out_twice() {
    let sent = [
        (0, 10, 1.0, Expectation::Kept, false),
        (0, 10, 1.0, Expectation::Repeat, true),
    ];
    let twice = [seen(10, 1.0), seen(10, 1.0)];
    check(ledger(&sent), &twice[..1], [1, 0, 0, 0, 0, 0, 0, 0]);
    check(ledger(&sent), &twice, [1, 0, 1, 0, 0, 0, 0, 0]);
    check(ledger(&sent), &[], [0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(account(&[ledger(&sent)], true, &twice).is_clean());
}

#[test]
fn times_that_were_sent_out_of_order_are_found() {
    let sent = [30, 10, 20].map(|time| (0, time, time as f64, Expectation::Kept, true));
    check(
        ledger(&sent),
        &[seen(30, 30.0), seen(10, 10.0), seen(20, 20.0)],
        [3, 0, 0, 0, 0, 0, 0, 0],
    );
    check(
        ledger(&sent),
        &[seen(10, 10.0), seen(20, 20.0), seen(30, 30.0)],
        [3, 0, 0, 1, 0, 0, 0, 0],
    );
}

#[test]
fn without_its_time_a_reading_is_known_by_its_value() {
    let sent = [1.0, 0.0, 1.0].map(|value| (0, 0, value, Expectation::Kept, true));
    let sent: Vec<_> = sent
        .into_iter()
        .enumerate()
        .map(|(at, it)| (it.0, at as i64, it.2, it.3, it.4))
        .collect();
    let ledger = || ledger(&sent);
    check(
        ledger(),
        &[timeless(1.0), timeless(0.0), timeless(1.0)],
        [3, 0, 0, 0, 0, 0, 0, 0],
    );
    check(
        ledger(),
        &[timeless(1.0), timeless(-0.0)],
        [2, 1, 0, 0, 0, 0, 0, 0],
    );
    check(
        ledger(),
        &[timeless(1.0), timeless(0.0), timeless(1.0), timeless(1.0)],
        [3, 0, 1, 0, 0, 0, 0, 0],
    );
    check(
        ledger(),
        &[timeless(1.0), timeless(0.0), timeless(1.0), timeless(7.0)],
        [3, 0, 0, 0, 0, 1, 0, 0],
    );
    check(
        ledger(),
        &[seen(0, 1.0), seen(1, 0.0), timeless(1.0)],
        [3, 0, 0, 0, 0, 0, 0, 0],
    );
}

#[test]
fn without_its_time_a_reading_is_rather_one_that_must_have_come() {
    let sent = [
        (0, 10, 1.0, Expectation::Refusable, true),
        (0, 20, 1.0, Expectation::Kept, false),
        (0, 30, 1.0, Expectation::Kept, true),
    ];
    check(ledger(&sent), &[timeless(1.0)], [1, 0, 0, 0, 0, 0, 1, 1]);
    check(
        ledger(&sent),
        &[timeless(1.0), timeless(1.0)],
        [2, 0, 0, 0, 0, 0, 1, 0],
    );
}

#[test]
fn a_value_that_is_not_kept_is_not_called_changed() {
    let sent = [(0, 10, f64::NAN, Expectation::Kept, true)];
    check(
        ledger(&sent),
        &[Observation {
            value: None,
            ..seen(10, 0.0)
        }],
        [1, 0, 0, 0, 0, 0, 0, 0],
    );
}

#[test]
fn runs_and_ledgers_add_up() {
    let mut audit = Audit::default();
    audit.read(&five()).unwrap();
    audit
        .read(&ledger(&[
            (0, 60, 6.0, Expectation::Kept, true),
            (1, 60, 6.0, Expectation::Kept, false),
        ]))
        .unwrap();
    let totals = audit.totals();
    assert_eq!(
        (totals.runs, totals.messages, totals.acknowledged),
        (2, 7, 6)
    );
    let witness = audit.witness("w", false);
    for at in 1..=6 {
        audit.see(witness, &seen(at * 10, at as f64));
    }
    assert!(audit.close(witness).is_clean());
    assert!(audit.knows("d", "b") && !audit.knows("d", "c"));
}

#[test]
fn readings_of_one_time_are_told_apart_by_their_values() {
    let sent = [1.0, 2.0, 3.0].map(|value| (0, 10, value, Expectation::Kept, true));
    check(
        ledger(&sent),
        &[seen(10, 1.0), seen(10, 2.0), seen(10, 3.0)],
        [3, 0, 0, 0, 0, 0, 0, 0],
    );
    check(
        ledger(&sent),
        &[seen(10, 3.0), seen(10, 2.0), seen(10, 3.0)],
        [2, 1, 1, 1, 0, 0, 0, 0],
    );
    check(
        ledger(&sent),
        &[seen(10, 1.0), seen(10, 2.0), seen(10, 4.0)],
        [3, 0, 0, 0, 1, 0, 0, 0],
    );
}
