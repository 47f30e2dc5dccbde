//! The life of a change, told as a timeline.

use serde_json::{Value, json};

use super::rig::{Rig, WALL_MS, WELL, key, keys, payload, sign};
use crate::fleet::agent::{COMMAND_TYPE, Event, Health, Verb};
use crate::fleet::envelope::seal;
use crate::fleet::keys::{KEYS_TYPE, PublicKey};
use crate::fleet::trial::{Both, Findings, Trial};

const ILL: Health = Health {
    uplink: false,
    ..WELL
};

fn average(text: &str) -> Value {
    json!({"defaults": {"average": text}})
}

fn holds(rig: &Rig) -> Option<String> {
    let merged = rig.holds.over(&json!({}));
    let value = merged.pointer("/defaults/average")?;
    value.as_str().map(str::to_owned)
}

fn command(verb: Verb, id: &str, document: Option<Value>) -> Vec<u8> {
    let mut payload = json!({
        "fleet": "acme", "gateway": "edge-1", "verb": verb, "id": id, "expires": WALL_MS + 300_000,
    });
    if let Some(document) = document {
        payload["document"] = document;
    }
    seal(COMMAND_TYPE, payload.to_string().as_bytes(), &[key(2)])
}

#[test]
fn a_change_holds_at_once_and_is_confirmed_once_it_has_settled() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    rig.deliver(0, &sign(&payload(0, 1, &average("30s")), 2));
    assert_eq!(holds(&rig).as_deref(), Some("30s"));
    assert_eq!(rig.report().state, "confirming");
    rig.live(10, WELL);
    assert_eq!(rig.report().state, "confirming");
    rig.live(1, WELL);
    assert_eq!(rig.report().state, "steady");
    assert_eq!(rig.codes(), ["OK"]);
}

#[test]
fn stronger_layers_win_key_by_key() {
    let mut rig = Rig::new();
    rig.confirm(2, 1, &average("10s"));
    rig.confirm(
        0,
        1,
        &json!({"defaults": {"average": "60s", "silence": "5m"}}),
    );
    rig.confirm(1, 1, &average("30s"));
    assert_eq!(holds(&rig).as_deref(), Some("10s"));
    assert_eq!(rig.report().layers.len(), 3);
}

#[test]
fn what_cuts_the_uplink_is_taken_back_at_the_deadline_and_tried_once_more() {
    let mut rig = Rig::new();
    rig.confirm(0, 1, &average("60s"));
    rig.codes();
    rig.deliver(0, &sign(&payload(0, 2, &average("1s")), 2));
    rig.live(59, ILL);
    assert_eq!(holds(&rig).as_deref(), Some("1s"));
    rig.live(1, ILL);
    assert_eq!(holds(&rig).as_deref(), Some("60s"));
    assert_eq!(rig.codes(), ["E_HEALTH:uplink"]);
    rig.live(599, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("60s"));
    rig.live(1, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("1s"), "the second attempt");
    rig.live(60, ILL);
    assert_eq!(rig.codes(), ["E_HEALTH:uplink"]);
    rig.live(3_600, WELL);
    rig.deliver(0, &sign(&payload(0, 2, &average("1s")), 2));
    assert_eq!(rig.codes(), ["E_BAD"]);
    assert_eq!(holds(&rig).as_deref(), Some("60s"));
    rig.confirm(0, 3, &average("2s"));
    assert_eq!(holds(&rig).as_deref(), Some("2s"));
}

#[test]
fn a_restart_before_the_confirmation_boots_what_was_good() {
    let mut rig = Rig::new();
    rig.confirm(0, 1, &average("60s"));
    let bytes = sign(&payload(0, 2, &average("1s")), 2);
    rig.deliver(0, &bytes);
    assert_eq!(holds(&rig).as_deref(), Some("1s"));
    let mut rig = rig.crash();
    assert_eq!(holds(&rig).as_deref(), Some("60s"));
    assert_eq!(rig.codes(), ["E_CRASH"]);
    rig.deliver(0, &bytes);
    rig.live(599, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("60s"), "not at once again");
    rig.live(1, WELL);
    let mut rig = rig.crash();
    rig.codes();
    rig.deliver(0, &bytes);
    assert_eq!(rig.codes(), ["E_BAD"]);
}

/// A change that came right after a start was held against nothing, and so confirmed though it cut the uplink.
#[test]
fn after_a_start_a_change_waits_for_the_gates_to_open() {
    let mut rig = Rig::new();
    let bytes = sign(&payload(0, 1, &average("1s")), 2);
    rig.live(100, ILL);
    rig.deliver(0, &bytes);
    assert_eq!(holds(&rig), None);
    rig.live(1, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("1s"));
    rig.live(60, ILL);
    assert_eq!(holds(&rig), None);
}

#[test]
fn where_the_uplink_stays_away_a_change_may_be_the_cure() {
    let mut rig = Rig::new();
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 2));
    rig.live(121, ILL);
    assert_eq!(holds(&rig).as_deref(), Some("1s"));
    rig.live(11, ILL);
    assert_eq!(rig.report().state, "steady");
}

/// A short break just before a change hid what the change did.
#[test]
fn a_short_break_before_a_change_opens_no_gate() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    rig.live(1, ILL);
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 2));
    rig.live(60, ILL);
    assert_eq!(holds(&rig), None);
}

/// An uplink that came back while the swap waited for room was not seen, and the change that cut it again was confirmed.
#[test]
fn what_opens_while_a_swap_waits_is_held_against_the_change() {
    let mut rig = Rig::new();
    rig.has_room = false;
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 2));
    rig.live(121, ILL);
    rig.live(1, WELL);
    assert_eq!(rig.report().state, "swapping");
    rig.has_room = true;
    rig.live(1, ILL);
    assert_eq!(holds(&rig).as_deref(), Some("1s"));
    rig.live(60, ILL);
    assert_eq!(holds(&rig), None);
}

#[test]
fn what_is_shut_while_a_change_is_taken_back_excuses_no_other_change() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 2));
    rig.has_room = false;
    rig.live(700, ILL);
    assert_eq!(rig.report().state, "returning");
    rig.deliver(0, &sign(&payload(0, 2, &average("2s")), 2));
    rig.has_room = true;
    rig.live(1, ILL);
    assert_eq!(holds(&rig).as_deref(), Some("2s"));
    rig.live(60, ILL);
    assert_eq!(holds(&rig), None);
}

#[test]
fn documents_that_come_meanwhile_wait_and_the_newest_counts() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    for generation in 1..=4 {
        let config = average(&format!("{generation}s"));
        rig.deliver(0, &sign(&payload(0, generation, &config), 2));
    }
    assert_eq!(holds(&rig).as_deref(), Some("1s"));
    rig.live(30, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("4s"));
    assert_eq!(rig.report().counters.confirmed, 2);
}

/// An older document that came while a newer one was tried waited for its turn, and took the newer one's place.
#[test]
fn an_older_document_that_waited_is_refused_when_its_turn_comes() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 2));
    rig.deliver(1, &sign(&payload(1, 5, &average("5s")), 2));
    rig.live(12, WELL);
    rig.deliver(1, &sign(&payload(1, 4, &average("4s")), 2));
    rig.live(30, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("5s"));
    assert_eq!(rig.codes().last(), Some(&"OK"));
}

#[test]
fn too_many_changes_are_held_down_and_the_newest_is_tried_later() {
    let mut rig = Rig::new();
    for generation in 1..=5 {
        rig.confirm(0, generation, &average(&format!("{generation}s")));
    }
    rig.codes();
    rig.deliver(0, &sign(&payload(0, 6, &average("6s")), 2));
    rig.deliver(0, &sign(&payload(0, 7, &average("7s")), 2));
    assert_eq!(rig.codes(), ["E_FLAP"]);
    assert_eq!(rig.report().state, "held");
    assert_eq!(holds(&rig).as_deref(), Some("5s"));
    rig.live(600, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("7s"));
}

#[test]
fn a_technicians_override_wins_for_its_time_and_must_be_confirmed() {
    let mut rig = Rig::new();
    rig.confirm(2, 1, &average("60s"));
    let set = |rig: &mut Rig| {
        rig.tell(Event::Override {
            by: "anna",
            ttl_s: Some(1_000),
            config: average("5s"),
        });
    };
    set(&mut rig);
    assert_eq!(holds(&rig).as_deref(), Some("5s"));
    rig.live(120, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("60s"), "nobody confirmed it");
    set(&mut rig);
    rig.tell(Event::OverrideConfirmed);
    rig.live(1, WELL);
    assert_eq!(rig.report().over.expect("an override").by, "anna");
    let mut rig = rig.crash();
    assert_eq!(holds(&rig).as_deref(), Some("5s"), "it outlives a restart");
    rig.confirm(2, 2, &average("70s"));
    assert_eq!(holds(&rig).as_deref(), Some("5s"));
    rig.codes();
    rig.live(1_000, WELL);
    assert_eq!(holds(&rig).as_deref(), Some("70s"));
    assert_eq!(rig.codes(), ["OK"]);
}

#[test]
fn the_fleet_can_forbid_overrides() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    let over = || Event::Override {
        by: "anna",
        ttl_s: None,
        config: average("5s"),
    };
    rig.tell(over());
    rig.tell(Event::OverrideConfirmed);
    rig.live(1, WELL);
    rig.codes();
    let mut forbids = payload(0, 1, &json!({}));
    forbids["policy"] = json!({"allow_local_override": false});
    rig.deliver(0, &sign(&forbids, 2));
    rig.live(12, WELL);
    assert_eq!(rig.codes(), ["OK", "E_POLICY"]);
    assert_eq!(holds(&rig), None, "the one that held is ended");
    rig.tell(over());
    assert_eq!(rig.codes(), ["E_POLICY"]);
    assert_eq!(holds(&rig), None);
}

#[test]
fn what_a_dry_run_finds_is_told_and_a_signed_policy_can_refuse_it() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    let journal = Findings {
        seconds: 300,
        readings: 1_000,
        dropped: Both { now: 0, then: 200 },
        alerts: Both { now: 1, then: 3 },
    };
    rig.trial = Ok(Trial {
        journal: Some(journal),
        ..Trial::default()
    });
    let mut careful = payload(0, 1, &json!({}));
    careful["policy"] = json!({"drop_percent_max": 5});
    rig.deliver(0, &sign(&careful, 2));
    let told = rig.tape.notices.last().map(|it| it.text.clone());
    let expected = "of 1000 readings in 300 s it would drop 20.0 % (now 0.0 %), and raise 3 alerts (now 1); \
                    the policy allows 5 % more dropped readings";
    assert_eq!(told.as_deref(), Some(expected));
    assert_eq!(rig.codes(), ["I_DRYRUN", "E_DRYRUN"]);
    assert_eq!(rig.report().trial.and_then(|it| it.journal), Some(journal));
    assert_eq!(rig.disk.floors, [], "it was not put to the test");
    careful["generation"] = json!(2);
    careful["policy"] = json!({"drop_percent_max": 20});
    rig.deliver(0, &sign(&careful, 2));
    rig.live(12, WELL);
    assert_eq!(rig.codes(), ["I_DRYRUN", "OK"]);
    let mut strict = payload(2, 1, &average("5s"));
    strict["policy"] = json!({"alerts_max": 1});
    rig.deliver(2, &sign(&strict, 2));
    assert_eq!(rig.codes(), ["I_DRYRUN", "E_DRYRUN"]);
    rig.tell(Event::Override {
        by: "anna",
        ttl_s: None,
        config: average("5s"),
    });
    assert_eq!(rig.codes(), ["I_DRYRUN"], "the fleet's policy allows it");
}

#[test]
fn an_override_cannot_cross_the_floor_either() {
    let mut rig = Rig::new();
    for (config, code) in [
        (json!({"broker": {"allow_anonymous": true}}), "E_FLOOR"),
        (json!({"gateway": {"id": "x"}}), "E_LOCAL"),
        (json!({"defualts": 1}), "E_SCHEMA"),
        (json!(3), "E_SCHEMA"),
    ] {
        rig.tell(Event::Override {
            by: "anna",
            ttl_s: None,
            config,
        });
        assert_eq!(rig.codes(), [code]);
    }
    assert_eq!(rig.report().state, "steady");
}

#[test]
fn a_new_key_list_ends_the_old_keys() {
    let mut rig = Rig::new();
    let mut next = keys();
    next.version = 2;
    next.config = vec![PublicKey::of(&key(3))];
    let payload_bytes = serde_json::to_vec(&next).expect("JSON");
    rig.tell(Event::Keys(&seal(KEYS_TYPE, &payload_bytes, &[key(2)])));
    assert_eq!(rig.codes(), ["E_KEY"], "the online key signs no list");
    rig.tell(Event::Keys(&seal(KEYS_TYPE, &payload_bytes, &[key(1)])));
    assert_eq!(rig.codes(), ["OK"]);
    let mut rig = rig.crash();
    rig.live(1, WELL);
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 2));
    assert_eq!(rig.codes(), ["E_KEY"]);
    rig.deliver(0, &sign(&payload(0, 1, &average("1s")), 3));
    assert_eq!(rig.report().state, "confirming");
}

#[test]
fn commands_are_done_once_and_for_this_box_only() {
    let mut rig = Rig::new();
    let send = |rig: &mut Rig, verb: Verb, id: &str, bytes: &[u8]| {
        rig.tell(Event::Command { verb, id, bytes });
    };
    let bytes = command(Verb::Effective, "c1", None);
    send(&mut rig, Verb::Effective, "c1", &bytes);
    assert_eq!(rig.tape.answers.len(), 1);
    send(&mut rig, Verb::Effective, "c1", &bytes);
    send(&mut rig, Verb::Diag, "c2", &bytes);
    rig.now.wall_ms += 300_000;
    let old = command(Verb::Diag, "c3", None);
    send(&mut rig, Verb::Diag, "c3", &old);
    assert_eq!(rig.tape.answers.len(), 1, "{:?}", rig.tape.answers);
    assert_eq!(rig.report().newest["command"].code, "E_COMMAND");
}

#[test]
fn a_dry_run_by_command_changes_nothing() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    for (config, code) in [
        (average("5s"), "OK"),
        (json!({"kafka": {"tls": false}}), "E_FLOOR"),
    ] {
        let document = payload(0, 9, &config);
        let bytes = command(Verb::DryRun, code, Some(document));
        let (verb, id) = (Verb::DryRun, code);
        rig.tell(Event::Command {
            verb,
            id,
            bytes: &bytes,
        });
        assert_eq!(rig.tape.answers.last().expect("an answer").1["code"], code);
    }
    assert_eq!((holds(&rig), rig.report().state), (None, "steady"));
}

#[test]
fn a_person_confirms_or_takes_back_by_command() {
    let mut rig = Rig::new();
    rig.live(1, WELL);
    let mut manual = payload(0, 1, &average("5s"));
    manual["confirm"]["manual"] = json!(true);
    rig.deliver(0, &sign(&manual, 2));
    rig.live(30, WELL);
    assert_eq!(rig.report().state, "confirming");
    let bytes = command(Verb::Confirm, "c1", None);
    rig.tell(Event::Command {
        verb: Verb::Confirm,
        id: "c1",
        bytes: &bytes,
    });
    rig.live(1, WELL);
    assert_eq!(rig.report().state, "steady");
    rig.deliver(0, &sign(&payload(0, 2, &average("6s")), 2));
    let bytes = command(Verb::Rollback, "c2", None);
    rig.tell(Event::Command {
        verb: Verb::Rollback,
        id: "c2",
        bytes: &bytes,
    });
    assert_eq!(holds(&rig).as_deref(), Some("5s"));
}
