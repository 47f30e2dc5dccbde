use super::*;

const LEAST: &str =
    "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n[store]\ndir = \"data\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::from_source(&Source {
        path: "gateway.toml".into(),
        text: text.to_owned(),
    })
}

fn check_refused(text: &str, expected: &[&str]) {
    let report = parse(text).expect_err("refused").report;
    for part in expected {
        assert!(report.contains(part), "{report}\nshould say {part:?}");
    }
}

#[test]
fn the_shipped_file_is_valid_and_names_every_setting() {
    let shipped = include_str!("../../gateway.toml");
    parse(shipped).expect("valid");
    let uncommented: String = shipped
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| is_setting(rest))
                .unwrap_or(line)
        })
        .map(|line| format!("{line}\n"))
        .collect();
    parse(&uncommented).expect("valid with every setting given");
}

fn is_setting(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap_or("");
    line.starts_with('[')
        || (line.contains(" = ")
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.\"".contains(c)))
}

#[test]
fn the_least_config_has_the_documented_defaults() {
    let config = parse(LEAST).expect("valid");
    assert_eq!(config.store.commit_interval, Millis(10));
    assert_eq!(config.kafka.mode, KafkaMode::Transactional);
    assert_eq!(config.mappings.len(), 2);
    assert!(config.kafka.bootstrap.is_empty());
}

#[test]
fn anonymous_access_is_for_loopback_only() {
    let text = LEAST.replace(
        "allow_anonymous",
        "listen = \"0.0.0.0:1883\"\nallow_anonymous",
    );
    check_refused(
        &text,
        &[
            "anyone on the network",
            "broker.allow_anonymous",
            "credentials",
        ],
    );
    check_refused(
        &LEAST.replace("true", "false"),
        &["nobody could connect", "tidegate passwd"],
    );
}

#[test]
fn every_fault_is_told_at_once_with_line_and_remedy() {
    let text = LEAST.replace("edge-1", "edge 1")
        + "commit_interval = \"0ms\"\n[[mapping]]\ntopic = \"sensors/{signal}\"\n";
    check_refused(
        &text,
        &[
            "gateway.toml:2:6",
            "not a name",
            "gateway.toml:7:19",
            "SD card",
            "mapping[0].topic",
            "{device}",
        ],
    );
}

#[test]
fn a_wrong_unit_says_what_is_right() {
    check_refused(
        &format!("{LEAST}commit_interval = \"10\"\n"),
        &["gateway.toml:7:19", "store.commit_interval", "\"10ms\""],
    );
}

#[test]
fn sasl_needs_a_user_and_a_known_mechanism() {
    let text = format!("{LEAST}[kafka]\nsasl_mechanism = \"GSSAPI\"\n");
    check_refused(&text, &["`GSSAPI` is not supported", "SASL without a user"]);
}

#[test]
fn a_label_is_an_attribute_of_cloudevents() {
    for name in ["Site", "type", "a-b", "site = \"x\"\nline_2"] {
        let text = format!("{LEAST}[kafka.labels]\n{name} = \"x\"\n");
        check_refused(&text, &["this label cannot be used", "up to 20 letters"]);
    }
}

#[test]
fn a_derived_signal_has_a_formula_or_a_rate() {
    let text = format!("{LEAST}[[derived]]\nsignal = \"a\"\nexpr = \"b\"\nrate = \"b\"\n");
    check_refused(&text, &["has one formula", "`rate = FORMULA`"]);
}

#[test]
fn forwarding_has_one_width() {
    let text = format!("{LEAST}[defaults]\nforward = {{ deadband = 1.0, swinging_door = 1.0 }}\n");
    check_refused(&text, &["one width is needed", "`swinging_door = WIDTH`"]);
}

#[test]
fn a_rule_that_cannot_hold_is_shown_at_its_setting() {
    let check = |setting: &str, place: &str, must: &str| {
        let text = format!("{LEAST}[[sensor]]\ndevice = \"pump-*\"\n{setting}\n");
        check_refused(&text, &[place, must]);
    };
    check(
        "range = [200.0, 0.0]",
        "gateway.toml:9:9",
        "range must have a finite min",
    );
    check(
        "average = \"1ms\"",
        "gateway.toml:9:11",
        "must be between 100 ms and a week",
    );
    check(
        "rolling = { window = \"5m\", every = \"2m\" }",
        "gateway.toml:9:11",
        "must divide the window",
    );
}

#[test]
fn a_condition_that_is_wrong_is_told_with_its_column() {
    let text = LEAST.to_owned() + "[defaults]\ndrop_if = \"value < -40 or valve > 85\"\n";
    check_refused(
        &text,
        &[
            "column 16",
            "this name is unknown",
            "a condition is about `value`",
        ],
    );
}

#[test]
fn a_listener_that_cannot_work_is_shown_at_its_setting() {
    let check = |settings: &str, must: &[&str]| {
        let text =
            format!("{LEAST}[[broker.listeners]]\nlisten = \"127.0.0.1:8883\"\n{settings}\n");
        check_refused(&text, must);
    };
    check("key = \"k\"", &["both a certificate and its key"]);
    check("client_ca = \"c\"", &["gateway.toml:9:13", "over TLS only"]);
    check(
        "require_client_certificate = true",
        &["no certificate could be verified"],
    );
    check("mode = \"0660\"", &["for Unix sockets"]);
    check("protocol = \"quic\"", &["websocket"]);
    check_refused(
        &format!("{LEAST}[[broker.listeners]]\nlisten = \"0.0.0.0:8883\"\n"),
        &["gateway.toml:8:10", "allow_anonymous"],
    );
    check_refused(
        &format!("{LEAST}[[broker.listeners]]\nlisten = \"mqtt.sock\"\n"),
        &["gateway.toml:8:10", "unix:/PATH"],
    );
}

#[test]
fn sensors_with_the_same_condition_share_it() {
    let sensor = "[[sensor]]\ndrop_if = \"value < 0\"\nclean = { fill = \"hold\", unit_flip = [\"kelvin\"] }\n";
    let plan = parse(&(LEAST.to_owned() + sensor + sensor))
        .expect("valid")
        .plan()
        .unwrap();
    assert_eq!(plan.conditions.len(), 1);
    assert_eq!(plan.rules[1].config.drop_if, Some(0));
    let cleaning = plan.rules[1].config.cleaning.as_ref().unwrap();
    assert_eq!(cleaning.fill, pipeline::config::Fill::Hold);
    assert_eq!(cleaning.wait_ms_max, 30_000);
}

#[test]
fn a_derived_signal_names_what_it_is_made_of() {
    let text = LEAST.to_owned() + "[[derived]]\nsignal = \"power\"\nexpr = \"volts * amps\"\n";
    let plan = parse(&text).expect("valid").plan().unwrap();
    assert_eq!(plan.derived[0].inputs, ["volts", "amps"]);
    check_refused(
        &text.replace("amps", "(amps"),
        &["derived[0].expr", "column 14", "a parenthesis is open"],
    );
    check_refused(
        &text.replace("amps", "power"),
        &["one that is calculated is no input"],
    );
}

#[test]
fn limits_of_connections_hold_each_other() {
    let text = LEAST.replace(
        "allow_anonymous",
        "connections_per_user_max = 300\nallow_anonymous",
    );
    check_refused(
        &text,
        &[
            "broker.connections_per_user_max",
            "choose 1 to connections_max",
        ],
    );
    let text = LEAST.replace(
        "allow_anonymous",
        "connect_timeout = \"1ms\"\nallow_anonymous",
    );
    check_refused(&text, &["broker.connect_timeout", "500ms to 1h"]);
}

#[test]
fn a_mapping_that_cannot_be_is_shown_with_its_reason() {
    let check = |mapping: &str, key: &str, must: &str| {
        check_refused(&format!("{LEAST}[[mapping]]\n{mapping}\n"), &[key, must]);
    };
    check(
        "topic = \"tele/{device}\"\nvalues = { t = \"DHT22\" }",
        "mapping[0].values",
        "RFC 6901",
    );
    check(
        "topic = \"tele/{device}\"\nvalue = \"/t\"",
        "mapping[0].topic",
        "give `value` where the topic has {signal}",
    );
    check(
        "topic = \"senml/+\"\nform = \"senml\"\ntime = \"/t\"",
        "mapping[0].form",
        "plain JSON",
    );
    check(
        "topic = \"plant/#\"\nform = \"sparkplug\"",
        "mapping[0].topic",
        "spBv1.0/#",
    );
    check(
        "topic = \"a/{device}\"\nform = \"cbor\"",
        "mapping[0].form",
        "`senml`",
    );
}

#[test]
fn a_signal_is_renamed_once_to_what_can_be_a_name() {
    let with = |renames: &str| format!("{LEAST}{renames}");
    let fine = "[[rename]]\nsignal = \"t1\"\nto = \"flow\"\n";
    let config = parse(&with(fine)).expect("valid");
    assert_eq!(config.mapping().signal("boiler", "t1"), "flow");
    check_refused(
        &with(&fine.replace("flow", "a/b")),
        &["rename[0].to", "without / + #"],
    );
    check_refused(&with(&fine.repeat(2)), &["rename[1].signal", "already"]);
    check_refused(
        &with(&fine.replace("to =", "as =")),
        &["unknown field `as`"],
    );
}

#[test]
fn http_is_off_unless_it_has_an_address_and_a_topic_that_is_mapped() {
    assert_eq!(parse(LEAST).expect("valid").http.listen, None);
    let with = |setting: &str| format!("{LEAST}[http]\n{setting}\n");
    parse(&with("listen = \"127.0.0.1:8080\"")).expect("valid");
    check_refused(
        &with("listen = \"0.0.0.0:8080\""),
        &["http.listen", "could post"],
    );
    for topic in ["sensors/{device}/t", "sensors/x", "elsewhere/{device}"] {
        let text = with(&format!("listen = \"127.0.0.1:8080\"\ntopic = \"{topic}\""));
        check_refused(&text, &["http.topic", "no [[mapping]] finds a device"]);
    }
}

#[track_caller]
fn threshold(rule: &str) -> pipeline::config::Threshold {
    let text = format!("{LEAST}[[sensor]]\n[[sensor.alerts]]\nname = \"x\"\n{rule}");
    let plan = Box::new(parse(&text).expect("valid").plan().expect("a plan"));
    plan.rules[0].config.thresholds[0].clone()
}

#[test]
fn each_measure_of_an_alert_has_its_words() {
    use pipeline::config::{Measure, Side};
    let rate = threshold("of = \"rate\"\nover = \"5m\"\nbeyond = 2.0\nlatch = true\n");
    assert_eq!(
        (rate.of, rate.side, rate.latch),
        (Measure::Rate { over_ms: 300_000 }, Side::Beyond, true)
    );
    let stuck = threshold("of = \"stuck\"\nover = \"1h\"\nwithin = 0.1\n");
    assert_eq!(
        (stuck.of, stuck.limit),
        (Measure::Stuck { within: 0.1 }, 3_600_000.0)
    );
    let soon = threshold("of = \"forecast\"\nabove = 90.0\n");
    let measure = Measure::Forecast {
        over_ms: 7_200_000,
        ahead_ms: 14_400_000,
    };
    assert_eq!((soon.of, soon.off_delay_ms), (measure, 600_000));
    let drift = threshold("of = \"drift\"\n");
    assert_eq!((drift.side, drift.limit), (Side::Beyond, 8.0));
}

#[test]
fn an_alert_that_is_mixed_up_is_told_what_to_leave_out() {
    let check = |rule: &str, expected: &[&str]| {
        let text = format!("{LEAST}[[sensor]]\n[[sensor.alerts]]\nname = \"x\"\n{rule}");
        check_refused(&text, expected);
    };
    check("above = 1.0\nbelow = 2.0\n", &["an alert has one limit"]);
    check(
        "above = 1.0\nover = \"1m\"\n",
        &["alerts[0].over", "of no use"],
    );
    check(
        "of = \"stuck\"\nabove = 1.0\n",
        &["how long it may stand still"],
    );
    check("of = \"forecast\"\nbeyond = 1.0\n", &["be above or below"]);
}

#[test]
fn groups_and_suppressions_are_shared_and_detection_is_switched_off_again() {
    let text = format!(
        "{LEAST}[defaults]\ndetect = \"auto\"\ngroup = \"hall\"\nsuppress = {{ signal = \"on\", below = 0.5 }}\n\
         [[sensor]]\nsignal = \"a\"\ngroup = \"line\"\ndetect = {{ depth = \"full\", calm = 2.0 }}\n\
         suppress = {{ signal = \"on\", below = 0.5 }}\n\
         [[sensor]]\nsignal = \"b\"\ngroup = \"hall\"\ndetect = \"off\"\nchatter = {{ times = 3, within = \"1m\" }}\n"
    );
    let config = parse(&text).expect("valid");
    let plan = Box::new(config.plan().expect("a plan"));
    let of = |nth: usize| &plan.rules[nth].config;
    let groups = (plan.defaults.group, of(0).group, of(1).group);
    assert_eq!(groups, (Some(0), Some(1), Some(0)));
    assert_eq!((of(0).suppress, plan.suppressions.len()), (Some(0), 1));
    assert!(of(1).detect.is_none() && of(0).detect.is_some_and(|it| it.calm == 2.0));
    let sizes = config.sizes();
    assert_eq!(
        sizes.scouts,
        [1024, 256, 1024, 0],
        "all may be full, auto shares the rest"
    );
    assert_eq!((sizes.slots_per_sensor, sizes.gauges_per_sensor), (2, 0));
}

#[test]
fn signals_that_are_judged_together_make_a_signal_with_an_alert() {
    let text = format!(
        "{LEAST}[[together]]\ndevice = \"pump-*\"\nsignals = [\"a\", \"b\"]\nwears = true\n"
    );
    let config = parse(&text).expect("valid");
    let plan = config.plan().expect("a plan");
    let rule = &plan.rules[0];
    assert_eq!(
        (rule.device.as_str(), rule.signal.as_str()),
        ("pump-*", "together")
    );
    assert_eq!(rule.config.thresholds[0].limit, 1.0);
    assert!(plan.charts[0].wears && plan.charts[0].gather_ms == 1_000);
    assert_eq!(config.sizes().scouts, [0, 0, 0, 64]);
    let alone = format!("{LEAST}[[together]]\nsignals = [\"a\"]\n");
    check_refused(&alone, &["name two others at least"]);
}
