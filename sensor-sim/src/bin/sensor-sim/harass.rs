//! `sensor-sim harass`: bad citizens against a broker of one's own, and a good one beside them that tells whether it stays well.

use core::cell::Cell;
use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use sensor_sim::limits::HARASS_S_MAX;
use serde_json::json;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use crate::cli::{Harass, Misconduct};
use crate::clock::Clock;
use crate::publish::{read_password, resolve};
use attack::Attack;
use probe::{Citizen, Seen};
use raw::Answers;
use tls::Door;

mod raw;
mod tls;
mod mutation;
mod attack;
mod probe;

/// How long the good citizen is alone, before and after.
const ALONE: Duration = Duration::from_secs(1);

/// Harasses, and gives the exit code: 1 if the good citizen was not served.
pub(crate) fn harass(options: &Harass) -> Result<u8> {
    let target = resolve(&options.target)?;
    ensure!(
        target.ip().is_loopback() || options.i_own_this_target,
        "{target} is another machine; only with --i-own-this-target, and only where that is so"
    );
    ensure!(
        options.duration.as_secs() <= HARASS_S_MAX,
        "--duration is {HARASS_S_MAX} s at most"
    );
    let password = options
        .password_file
        .as_deref()
        .map(read_password)
        .transpose()?;
    let clock = Clock::start();
    let citizen = Citizen {
        clock,
        target,
        topic: format!("{}/good-citizen", options.topic),
        username: options.username.clone(),
        password: password.clone(),
        patience: options.patience,
    };
    let door = match (&options.tls, options.kind) {
        (Some(tls), Misconduct::ExpiredCertificate) => Some(Door::new(tls)?),
        (None, Misconduct::ExpiredCertificate) => bail!(
            "expired-certificate needs --tls-target, --tls-ca, --tls-certificate and --tls-key"
        ),
        _ => None,
    };
    ensure!(
        door.as_ref()
            .is_none_or(|door| door.address.ip() == target.ip()),
        "--tls-target is another machine than --target"
    );
    let lasts_us = u64::try_from(options.duration.as_micros())?;
    let attack = || Attack {
        kind: options.kind,
        target,
        door,
        topic: options.topic.clone(),
        username: options.username.clone(),
        password: password.clone(),
        seed: options.seed,
        left: Cell::new(options.count),
        done: Cell::new(0),
        clock,
        until_us: clock.now_us() + lasts_us,
        answers: Answers::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (attack, seen) = LocalSet::new().block_on(&runtime, drive(options, attack, citizen));
    let is_well = seen.troubles.is_empty() && !seen.round_trips_us.is_empty();
    tell(options, &attack, &seen, is_well);
    Ok(u8::from(!is_well))
}

async fn drive(
    options: &Harass,
    attack: impl FnOnce() -> Attack,
    citizen: Citizen,
) -> (Rc<Attack>, Seen) {
    let is_over = Rc::new(Cell::new(false));
    let life = {
        let is_over = Rc::clone(&is_over);
        tokio::task::spawn_local(async move { citizen.live(&is_over).await })
    };
    sleep(ALONE).await;
    let attack = Rc::new(attack());
    let mut citizens = JoinSet::new();
    for _ in 0..options.clients {
        citizens.spawn_local(Rc::clone(&attack).work());
    }
    while citizens.join_next().await.is_some() {}
    if options.kind == Misconduct::RetainedFlood {
        attack.clean_up().await;
    }
    sleep(ALONE).await;
    is_over.set(true);
    let seen = life.await.unwrap_or_else(|error| Seen {
        troubles: vec![error.to_string()],
        ..Seen::default()
    });
    (attack, seen)
}

fn tell(options: &Harass, attack: &Attack, seen: &Seen, is_well: bool) {
    let value = options.kind.to_possible_value();
    let kind = value
        .as_ref()
        .map_or("", |value| value.get_name())
        .to_owned();
    let mut sorted = seen.round_trips_us.clone();
    sorted.sort_unstable();
    let at = |share: f64| {
        let place = (sorted.len() as f64 * share) as usize;
        sorted
            .get(place.min(sorted.len().saturating_sub(1)))
            .copied()
    };
    let answers: BTreeMap<_, _> = attack.answers.borrow().clone();
    if options.json {
        return crate::say(format_args!(
            "{:#}",
            json!({
                "kind": kind, "done": attack.done.get(), "answers": answers, "well": is_well,
                "round_trips": sorted.len(),
                "round_trip_us": { "p50": at(0.5), "p99": at(0.99), "max": at(1.0) },
                "troubles": seen.troubles,
            })
        ));
    }
    let mut text = format!("{kind}: {} times; the broker answered\n", attack.done.get());
    for (answer, count) in &answers {
        // A string takes all that is written.
        let _ = writeln!(text, "{count:>12}  {answer}");
    }
    let ms =
        |share| at(share).map_or_else(|| "-".to_owned(), |us| format!("{:.1}", us as f64 / 1000.0));
    let _ = write!(
        text,
        "good citizen: {} round trips, p50 {} ms, p99 {} ms, longest {} ms: ",
        sorted.len(),
        ms(0.5),
        ms(0.99),
        ms(1.0)
    );
    text += if is_well {
        "the broker stayed well"
    } else {
        "NOT served"
    };
    for trouble in seen.troubles.iter().take(3) {
        let _ = write!(text, "\n  {trouble}");
    }
    crate::say(text);
}
