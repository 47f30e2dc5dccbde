//! Every bad document: what runs is untouched, the report has the right code, and there is one event.

use serde_json::{Value, json};

use super::rig::{Rig, WALL_MS, key, payload, scopes, sign};
use crate::fleet::agent::Event;
use crate::fleet::document::DOCUMENT_TYPE;
use crate::fleet::envelope::seal;
use crate::fleet::keys::KEYS_TYPE;
use crate::fleet::reason::{Reason, Refusal};

fn good() -> Value {
    json!({"defaults": {"average": "30s"}})
}

/// A box under a confirmed document of generation 5 is given `bytes`, twice.
#[track_caller]
fn check(bytes: &[u8], expected: Reason) -> Rig {
    let mut rig = Rig::new();
    rig.confirm(0, 5, &good());
    check_on(rig, 0, bytes, expected)
}

#[track_caller]
fn check_on(mut rig: Rig, place: usize, bytes: &[u8], expected: Reason) -> Rig {
    rig.codes();
    let (holds, disk) = (rig.holds.clone(), rig.disk.clone());
    rig.deliver(place, bytes);
    let report = rig.report();
    assert_eq!(report.newest[&scopes()[place].path()].code, expected.code());
    assert_eq!(rig.codes(), [expected.code()]);
    rig.deliver(place, bytes);
    assert_eq!(rig.codes(), [""; 0], "it is told once");
    assert_eq!(rig.holds, holds, "what runs is untouched");
    assert_eq!(rig.disk, disk, "what is durable is untouched");
    assert!(rig.agent.is_steady());
    rig
}

#[track_caller]
fn check_config(config: &Value, expected: Reason) {
    check(&sign(&payload(0, 6, config), 2), expected);
}

#[test]
fn what_is_no_envelope_is_refused() {
    let whole = sign(&payload(0, 6, &good()), 2);
    check(b"\x00\xffgarbage", Reason::Envelope);
    check(&whole[..whole.len() / 2], Reason::Envelope);
    check(b"{}", Reason::Envelope);
    check(
        &seal(DOCUMENT_TYPE, b"no document", &[key(2)]),
        Reason::Envelope,
    );
    check(&seal(KEYS_TYPE, b"{}", &[key(2)]), Reason::Envelope);
    let mut odd = payload(0, 6, &good());
    odd["surprise"] = json!(1);
    check(&sign(&odd, 2), Reason::Envelope);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_parsed() {
    check(&vec![b'{'; 32 * 1024 + 1], Reason::Size);
    check(&[b'['; 100], Reason::Depth);
    let long = json!({"defaults": {"unit": "x".repeat(1_025)}});
    check_config(&long, Reason::Size);
    let deep = json!({"defaults": [[[[[[[1]]]]]]]});
    check_config(&deep, Reason::Depth);
    let wide: serde_json::Map<String, Value> =
        (0..2_000).map(|n| (format!("{n}"), json!(n))).collect();
    check_config(&json!({"defaults": wide}), Reason::Keys);
}

#[test]
fn what_the_keys_did_not_sign_is_refused() {
    check(&sign(&payload(0, 6, &good()), 3), Reason::Key);
    let signed = String::from_utf8(sign(&payload(0, 6, &good()), 2)).expect("JSON");
    let other = String::from_utf8(sign(&payload(0, 7, &good()), 2)).expect("JSON");
    let part = |text: &str, name: &str| {
        let value: Value = serde_json::from_str(text).expect("JSON");
        value
            .pointer(name)
            .and_then(Value::as_str)
            .expect("text")
            .to_owned()
    };
    let swapped = signed.replace(
        &part(&signed, "/signatures/0/sig"),
        &part(&other, "/signatures/0/sig"),
    );
    check(swapped.as_bytes(), Reason::Signature);
}

#[test]
fn a_document_is_refused_anywhere_but_in_its_scope() {
    check(&sign(&payload(1, 6, &good()), 2), Reason::Scope);
    check(&sign(&payload(2, 6, &good()), 2), Reason::Scope);
    let mut strange = payload(0, 6, &good());
    strange["scope"]["fleet"] = json!("other");
    check(&sign(&strange, 2), Reason::Scope);
}

#[test]
fn a_document_of_the_past_is_refused() {
    check(&sign(&payload(0, 4, &good()), 2), Reason::Stale);
    check(&sign(&payload(0, 5, &json!({})), 2), Reason::Conflict);
    let mut expired = payload(0, 6, &good());
    expired["expires"] = json!(WALL_MS - 1);
    check(&sign(&expired, 2), Reason::Expired);
    let mut new = payload(0, 6, &good());
    new["gateway_min"] = json!("99.0.0");
    check(&sign(&new, 2), Reason::Version);
}

#[test]
fn a_config_that_cannot_hold_is_refused_with_its_keys() {
    check_config(&json!({"defualts": {"average": "30s"}}), Reason::Schema);
    check_config(
        &json!({"pipeline": {"batch_readings_max": "many"}}),
        Reason::Schema,
    );
    check_config(
        &json!({"pipeline": {"batch_readings_max": 1}}),
        Reason::Schema,
    );
    check_config(
        &json!({"pipeline": {"batch_readings_max": 5_000}}),
        Reason::Budget,
    );
    check_config(&json!({"kafka": {"topic_alerts": "x"}}), Reason::Locked);
    check_config(&json!({"gateway": {"id": "x"}}), Reason::LocalOnly);
    check_config(&json!({"store": {"dir": "/"}}), Reason::LocalOnly);
    check_config(&json!({"broker": {"allow_anonymous": true}}), Reason::Floor);
    check_config(&json!({"kafka": {"tls": false}}), Reason::Floor);
    check_config(
        &json!({"pipeline": {"sensors_max": 2_000}}),
        Reason::Restart,
    );
    check_config(&json!([]), Reason::Schema);
    let mut hasty = payload(0, 6, &good());
    hasty["confirm"] = json!({"timeout_s": 10, "settle_s": 10});
    check(&sign(&hasty, 2), Reason::Schema);
}

#[test]
fn a_config_that_went_badly_in_the_dry_run_is_refused() {
    let mut rig = Rig::new();
    rig.confirm(0, 5, &good());
    rig.trial = Err(Refusal::whole(Reason::DryRun, "it would drop 90 %"));
    check_on(rig, 0, &sign(&payload(0, 6, &json!({})), 2), Reason::DryRun);
}

#[test]
fn a_box_that_is_not_among_the_first_says_so() {
    let mut none = payload(0, 6, &good());
    none["rollout"] = json!({"percent": 0, "salt": "r1"});
    check(&sign(&none, 2), Reason::Deferred);
}

#[test]
fn two_documents_of_one_generation_are_refused_both() {
    let mut rig = Rig::new();
    rig.live(1, super::rig::WELL);
    rig.deliver(1, &sign(&payload(1, 1, &good()), 2));
    rig.deliver(0, &sign(&payload(0, 1, &good()), 2));
    rig.codes();
    rig.deliver(0, &sign(&payload(0, 1, &json!({})), 2));
    assert_eq!(rig.codes(), ["E_CONFLICT"]);
    rig.live(60, super::rig::WELL);
    assert!(
        rig.report()
            .layers
            .iter()
            .all(|layer| layer.what != "fleet")
    );
}

#[test]
fn without_a_clock_nothing_expires_and_the_report_says_so() {
    let mut rig = Rig::new();
    rig.now.wall_ms = 0;
    let mut expired = payload(0, 1, &good());
    expired["expires"] = json!(1);
    rig.now.wall_ms = 10_000;
    rig.live(1, super::rig::WELL);
    rig.deliver(0, &sign(&expired, 2));
    rig.live(12, super::rig::WELL);
    assert_eq!(rig.report().layers.len(), 1);
    assert!(!rig.report().is_clock_trusted);
}

#[test]
fn a_cleared_topic_takes_nothing_away() {
    let mut rig = Rig::new();
    rig.confirm(0, 5, &good());
    rig.codes();
    rig.deliver(0, b"");
    rig.tell(Event::Keys(b""));
    assert_eq!(rig.codes(), [""; 0]);
    assert_eq!(rig.report().layers.len(), 1);
}
