//! Payloads of any bytes, one behind the other, through all stages of the pipeline: each reading becomes a row or is counted,
//! and every batch can be read.
#![no_main]

use std::sync::LazyLock;

use fuzz::line::{Line, SENSORS};
use fuzz::mapping::{Form, Found, Mapping, Rule};
use fuzz::payload::{Readings, parse};
use libfuzzer_sys::fuzz_target;
use pipeline::Plan;
use pipeline::config::{
    Cleaning, Derived, Range, SessionRule, Sliding, Thinning, ThinningMethod, Unit,
};
use pipeline::expression::Expression;
use wire::Timestamp;

const NOW: Timestamp = Timestamp(1_767_225_600_000);
const NAMES: [(&str, &str); SENSORS] = [("d", "a"), ("d", "b"), ("d", "c")];

/// All stages at once, and a signal that is calculated.
fn plan() -> Plan {
    let mut plan = Plan::default();
    plan.gateway.push_str("fuzz").expect("short");
    let condition = Expression::condition("value == 42").expect("a condition");
    plan.conditions.push(condition).expect("the first");
    let (formula, inputs) = Expression::formula("a / b").expect("a formula");
    let (device, signal) = (
        "*".try_into().expect("short"),
        "c".try_into().expect("short"),
    );
    let derived = Derived {
        device,
        signal,
        formula,
        inputs,
        fresh_ms: 60_000,
        rate_ms: None,
    };
    plan.derived.push(derived).expect("the first");
    let sensor = &mut plan.defaults;
    sensor.range = Some(Range {
        min: -1e6,
        max: 1e6,
    });
    sensor.sentinels.push(85.0).expect("the first");
    sensor.drop_if = Some(0);
    sensor.stuck_ms = Some(5_000);
    sensor.cleaning = Some(Cleaning {
        flips: [Unit::Fahrenheit, Unit::Kilo].into_iter().collect(),
        ..Cleaning::default()
    });
    sensor.thinning = Some(Thinning {
        method: ThinningMethod::SwingingDoor,
        width: 0.5,
        silence_ms_max: 10_000,
    });
    sensor.sliding = Some(Sliding {
        window_ms: 60_000,
        hop_ms: 10_000,
    });
    sensor.session = Some(SessionRule {
        gap_ms: 5_000,
        length_ms_max: 60_000,
    });
    sensor.profile_ms = Some(60_000);
    sensor.quantiles.push(0.5).expect("the first");
    plan
}

fn mapping() -> Mapping {
    Mapping::new([("p/{device}/{signal}", Rule::Readings(Form::Plain))]).expect("the rule is valid")
}

fuzz_target!(|data: &[u8]| {
    static MAPPING: LazyLock<Mapping> = LazyLock::new(mapping);
    static PLAN: LazyLock<Plan> = LazyLock::new(plan);
    let Some(Found::Readings(mapped)) = MAPPING.find("p/d/a") else {
        return;
    };
    let mut line = Line::new(PLAN.clone(), NAMES).expect("the plan is valid");
    let mut sent = 0_u64;
    for payload in data.split(|byte| *byte == b'\n') {
        // A payload alone, or behind a byte that says how often it comes, each time a little more, and how fast.
        let (repeats, wait_ms, payload) = match payload.split_first() {
            Some((how @ 0x80.., rest)) => (1 + u64::from(how % 16), 1 << (how / 8 % 16), rest),
            _ => (1, 100, payload),
        };
        let mut readings = Readings::default();
        if parse(payload, &mapped, NOW, &mut readings).is_err() {
            continue;
        }
        for nth in 0..repeats {
            for item in &readings.items {
                let time = item
                    .time
                    .map(|time| time.0.saturating_add((nth * wait_ms) as i64));
                line.read(wait_ms, (sent % 2) as u16, time, item.value + nth as f64);
                sent += 1;
            }
        }
        if sent % 8 == 7 {
            line.sleep();
        }
    }
    line.end();
});
