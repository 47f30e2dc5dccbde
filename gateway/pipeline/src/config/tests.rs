use super::*;
use wire::Severity;

const EACH: Allotment = Allotment {
    panes: 8,
    slots: 4,
    gauges: 2,
};

fn plan() -> Plan {
    Plan {
        gateway: "box".try_into().unwrap(),
        ..Plan::default()
    }
}

fn check(change: impl FnOnce(&mut SensorConfig), field: &str) {
    let mut plan = plan();
    change(&mut plan.defaults);
    assert_eq!(
        plan.validate(EACH)
            .map_or_else(|invalid| invalid.field, |()| ""),
        field
    );
}

#[test]
fn what_is_wrong_is_named() {
    check(|_| {}, "");
    check(|c| c.range = Some(Range { min: 1.0, max: 0.0 }), "range");
    check(
        |c| {
            c.range = Some(Range {
                min: f64::NAN,
                max: 0.0,
            })
        },
        "range",
    );
    check(|c| c.tumbling_ms = Some(99), "tumbling_ms");
    check(
        |c| {
            c.sliding = Some(Sliding {
                window_ms: 1000,
                hop_ms: 0,
            })
        },
        "sliding.hop_ms",
    );
    check(
        |c| {
            c.sliding = Some(Sliding {
                window_ms: 1000,
                hop_ms: 300,
            })
        },
        "sliding.hop_ms",
    );
    check(
        |c| {
            c.sliding = Some(Sliding {
                window_ms: 600_000,
                hop_ms: 60_000,
            })
        },
        "sliding",
    );
    check(
        |c| {
            c.sliding = Some(Sliding {
                window_ms: 300_000,
                hop_ms: 60_000,
            })
        },
        "",
    );
    check(|c| c.ewma_tau_ms = Some(0), "ewma_tau_ms");
    check(|c| c.lateness_ms = u32::MAX, "lateness_ms");
    check(
        |c| {
            c.silence = Some(SilenceRule {
                after_ms: 0,
                severity: Severity::Info,
            })
        },
        "silence.after_ms",
    );
}

fn threshold(rule: &str) -> Threshold {
    Threshold {
        rule: rule.try_into().unwrap(),
        ..Threshold::default()
    }
}

#[test]
fn a_threshold_needs_a_name_of_its_own() {
    check(|c| c.thresholds.push(threshold("high")).unwrap(), "");
    for rule in ["", "a/b", "silence"] {
        check(
            |c| c.thresholds.push(threshold(rule)).unwrap(),
            "thresholds.rule",
        );
    }
    check(|c| c.sentinels.extend([85.0, f64::NAN]), "sentinels");
    check(|c| c.stuck_ms = Some(0), "stuck_ms");
    check(
        |c| c.thresholds.extend([threshold("high"), threshold("high")]),
        "thresholds.rule",
    );
    check(
        |c| {
            c.thresholds.extend([Threshold {
                limit: f64::NAN,
                ..threshold("x")
            }])
        },
        "thresholds.limit",
    );
    check(
        |c| {
            c.thresholds.extend([Threshold {
                hysteresis: -1.0,
                ..threshold("x")
            }])
        },
        "thresholds.hysteresis",
    );
}

#[test]
fn the_last_rule_that_fits_holds() {
    let mut plan = plan();
    for (device, signal) in [("*", "temperature"), ("pump-*", "*"), ("pump-9", "flow")] {
        let (device, signal) = (device.try_into().unwrap(), signal.try_into().unwrap());
        plan.rules
            .push(SensorRule {
                device,
                signal,
                config: SensorConfig::default(),
            })
            .unwrap();
    }
    for (device, signal, rule) in [
        ("fan", "temperature", Some(0)),
        ("pump-1", "temperature", Some(1)),
        ("pump-9", "flow", Some(2)),
        ("fan", "flow", None),
    ] {
        assert_eq!(plan.rule_of(device, signal), rule, "{device} {signal}");
    }
}

#[test]
fn the_rule_which_is_wrong_is_named() {
    let mut plan = plan();
    plan.rules
        .extend([SensorRule::default(), SensorRule::default()]);
    plan.rules[0].device = "*".try_into().unwrap();
    plan.rules[0].signal = "*".try_into().unwrap();
    let invalid = plan.validate(EACH).unwrap_err();
    assert_eq!(
        std::format!("{invalid}"),
        "sensor rule 2: device must not be empty: `*` fits any"
    );
}

#[test]
fn a_plan_is_decoded_as_it_was_encoded() {
    let mut plan = std::boxed::Box::new(plan());
    plan.defaults.ewma_tau_ms = Some(7);
    plan.conditions
        .push(Expression::condition("value > 3").unwrap())
        .unwrap();
    let chart = Chart {
        signals: ["a", "b"]
            .map(|it| it.try_into().unwrap())
            .into_iter()
            .collect(),
        ..Chart::default()
    };
    plan.charts.push(chart).unwrap();
    plan.suppressions.push(Suppression::default()).unwrap();
    for _ in 0..3 {
        let _ = plan.rules.push(SensorRule::default());
    }
    let mut buffer = [0; 4096];
    let bytes = postcard::to_slice(&*plan, &mut buffer).unwrap();
    let mut decoded = std::boxed::Box::<Plan>::default();
    assert_eq!(decoded.decode(bytes), Ok(()));
    assert_eq!(decoded, plan);
    for len in 0..bytes.len() {
        assert_eq!(decoded.decode(&bytes[..len]), Err(NoPlan), "{len} bytes");
    }
}
