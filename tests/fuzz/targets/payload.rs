//! A payload of any bytes under any topic, in every form that a mapping can name.
#![no_main]

use std::sync::LazyLock;

use fuzz::limits::METRICS_PER_MESSAGE_MAX;
use fuzz::mapping::{Form, Found, Mapping, Rule};
use fuzz::payload::pointers::{Pointer, Pointers};
use fuzz::payload::{PayloadError, Readings, parse, sparkplug};
use libfuzzer_sys::fuzz_target;
use wire::Timestamp;

const NOW: Timestamp = Timestamp(1_750_000_000_000);
const TOPICS: [&str; 6] = [
    "p/d/s",
    "p/d",
    "m/any",
    "j/d",
    "spBv1.0/g/NBIRTH/n",
    "spBv1.0/g/DDATA/n/d",
];

fn mapping() -> Mapping {
    let pointer = |text: &str| Pointer::parse(text).expect("a pointer");
    let values = vec![
        (Some("t".to_owned()), pointer("/a/t")),
        (Some("h".to_owned()), pointer("/b/0/h~1")),
    ];
    let pointers = Pointers::new(values, Some(pointer("/time"))).expect("few pointers");
    Mapping::new([
        ("p/{device}/{signal}", Rule::Readings(Form::Plain)),
        ("p/{device}", Rule::Readings(Form::Plain)),
        ("m/+", Rule::Readings(Form::Senml)),
        ("j/{device}", Rule::Readings(Form::Pointers(pointers))),
        ("spBv1.0/#", Rule::Sparkplug),
    ])
    .expect("the rules are valid")
}

fn check_place(error: &PayloadError, payload: &[u8]) {
    assert!(
        error.offset <= payload.len(),
        "{error:?} in {} bytes",
        payload.len()
    );
    assert!(!error.reason.is_empty());
}

fuzz_target!(|data: &[u8]| {
    static MAPPING: LazyLock<Mapping> = LazyLock::new(mapping);
    let Some((first, payload)) = data.split_first() else {
        return;
    };
    match MAPPING
        .find(TOPICS[usize::from(*first) % TOPICS.len()])
        .expect("every topic is mapped")
    {
        Found::Readings(mapped) => {
            let mut readings = Readings::default();
            if let Err(error) = parse(payload, &mapped, NOW, &mut readings) {
                check_place(&error, payload);
            }
            readings
                .faults
                .iter()
                .for_each(|fault| check_place(fault, payload));
        }
        Found::Sparkplug(_) => match sparkplug::Payload::read(payload) {
            Ok(read) => {
                let mut metrics = 0;
                for metric in read.metrics() {
                    let _ = (0..20)
                        .filter_map(|datatype| metric.number(datatype))
                        .count();
                    metrics += 1;
                }
                assert!(metrics <= METRICS_PER_MESSAGE_MAX);
                let _ = read.death_sequence();
            }
            Err(error) => check_place(&error, payload),
        },
    }
});
