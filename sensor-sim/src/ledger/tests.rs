use super::*;
use proptest::prelude::*;

const RUN: Run<'_> = Run {
    boot: 3,
    seed: u64::MAX,
    start: -5,
    command: "publish --devices 1",
};

fn sample() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut ledger = LedgerWriter::create(&mut bytes).unwrap();
    ledger.run(&RUN);
    ledger.device("pump");
    ledger.stream(0, &["flow"]);
    ledger.stream(0, &["a", "b"]);
    ledger.commit().unwrap();
    ledger.sent(0, 1, 1_764_000_000_000, &[1.5], Expectation::Kept);
    ledger.sent(
        1,
        2,
        1_764_000_000_001,
        &[f64::MIN, -0.0],
        Expectation::Refusable,
    );
    ledger.commit().unwrap();
    ledger.acknowledged(0, 1);
    ledger.acknowledged(0, 2);
    ledger.sent(0, 3, i64::MIN, &[1.5], Expectation::Repeat);
    ledger.acknowledged(0, 4);
    ledger.commit().unwrap();
    bytes
}

/// The records as text, for one comparison.
fn told(bytes: &[u8]) -> Vec<String> {
    let tell = |record| match record {
        Record::Run(run) => format!(
            "run {} {} {} {}",
            run.boot, run.seed, run.start, run.command
        ),
        Record::Device(name) => format!("device {name}"),
        Record::Stream { device, signals } => {
            format!(
                "stream of {device}: {}",
                signals.iter().collect::<Vec<_>>().join(",")
            )
        }
        Record::Sent(sent) => format!(
            "sent {} {} {} {:?} {:?}",
            sent.stream,
            sent.sequence,
            sent.time,
            sent.values.iter().collect::<Vec<_>>(),
            sent.expectation
        ),
        Record::Acknowledged {
            device,
            first,
            count,
        } => format!("acknowledged {device} {first} +{count}"),
    };
    Records::new(bytes)
        .unwrap()
        .map(|record| tell(record.unwrap()))
        .collect()
}

#[test]
fn a_ledger_is_read_as_it_was_written() {
    assert_eq!(
        told(&sample()),
        [
            "run 3 18446744073709551615 -5 publish --devices 1",
            "device pump",
            "stream of 0: flow",
            "stream of 0: a,b",
            "sent 0 1 1764000000000 [1.5] Kept",
            &format!("sent 1 2 1764000000001 [{:?}, -0.0] Refusable", f64::MIN),
            "sent 0 3 -9223372036854775808 [1.5] Repeat",
            "acknowledged 0 1 +2",
            "acknowledged 0 4 +1",
        ]
    );
}

#[test]
fn a_torn_end_is_left_out_and_its_beginning_known() {
    let whole = sample();
    let all = told(&whole);
    let mut ends = std::collections::BTreeSet::new();
    for length in 0..whole.len() {
        let mut records = Records::new(&whole[..length]).unwrap();
        let count = records.by_ref().map(Result::unwrap).count();
        assert!(count < all.len() && records.whole_bytes() <= length);
        assert_eq!(told(&whole[..records.whole_bytes()]), all[..count]);
        ends.insert(records.whole_bytes());
    }
    assert!(
        ends.len() > 3,
        "whole chunks before the torn one stay: {ends:?}"
    );
}

#[test]
fn a_changed_byte_ends_the_ledger_before_it() {
    let whole = sample();
    for at in MAGIC.len()..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        let mut records = Records::new(&changed).unwrap();
        assert!(records.by_ref().all(|record| record.is_ok()));
        assert!(records.whole_bytes() <= at);
    }
}

#[test]
fn what_is_no_ledger_is_refused() {
    assert_eq!(Records::new(b"{\"ts\":1}").unwrap_err(), LedgerError::Magic);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&wire::crc32c(0, &[99]).to_le_bytes());
    bytes.push(99);
    let records: Vec<_> = Records::new(&bytes).unwrap().collect();
    assert_eq!(
        records,
        [Err(LedgerError::Record {
            offset: 8,
            what: "tag"
        })]
    );
}

#[test]
fn a_message_costs_few_bytes() {
    let mut bytes = Vec::new();
    let mut ledger = LedgerWriter::create(&mut bytes).unwrap();
    ledger.stream(0, &["flow"]);
    for sequence in 1..=1000 {
        ledger.sent(
            0,
            sequence,
            1_764_000_000_000 + i64::from(sequence),
            &[0.5],
            Expectation::Kept,
        );
        ledger.acknowledged(0, sequence);
    }
    ledger.commit().unwrap();
    assert!(bytes.len() < 14_000, "{}", bytes.len());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&wire::crc32c(0, &body).to_le_bytes());
        bytes.extend_from_slice(&body);
        let records = Records::new(&bytes).unwrap();
        prop_assert!(records.count() <= body.len());
    }
}
