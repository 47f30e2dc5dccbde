//! `sensor-sim verify`: ledgers against what a Kafka consumer or an MQTT subscriber gets.

use std::fs;

use anyhow::{Context, Result, ensure};
use sensor_sim::audit::{Account, Audit, Case, Refusals, Totals};
use sensor_sim::date::Date;
use serde_json::json;

use crate::cli::Verify;
use crate::clock::Clock;
use crate::kafka;
use crate::subscriber;

/// A reading that a witness got, kept until the ledgers are read.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// Index of its sensor in [`Heard::sensors`].
    pub sensor: u32,
    /// Its time by the device's clock; `None` if that was lost or replaced.
    pub time: Option<i64>,
    /// Its value; `None` if that is not kept.
    pub value: Option<f64>,
}

/// All that a witness got.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    sensors: Vec<(String, String)>,
    index: std::collections::HashMap<String, std::collections::HashMap<String, u32>>,
    readings: Vec<Got>,
    /// What else there is to say, for people.
    pub note: String,
    /// What the gateway said that it refused, if it was asked.
    pub refusals: Option<Refusals>,
}

impl Heard {
    /// Notes a reading.
    pub(crate) fn add(
        &mut self,
        device: &str,
        signal: &str,
        time: Option<i64>,
        value: Option<f64>,
    ) {
        let known = self
            .index
            .get(device)
            .and_then(|signals| signals.get(signal))
            .copied();
        let sensor = known.unwrap_or_else(|| {
            let sensor = self.sensors.len() as u32;
            self.sensors.push((device.to_owned(), signal.to_owned()));
            self.index
                .entry(device.to_owned())
                .or_default()
                .insert(signal.to_owned(), sensor);
            sensor
        });
        self.readings.push(Got {
            sensor,
            time,
            value,
        });
    }

    fn tell(&self, audit: &mut Audit, name: &str, sees_repeats: bool, known_only: bool) -> Account {
        let witness = audit.witness(name, sees_repeats);
        for got in &self.readings {
            let (device, signal) = &self.sensors[got.sensor as usize];
            if !known_only || audit.knows(device, signal) {
                let observation = sensor_sim::audit::Observation {
                    device,
                    signal,
                    time: got.time,
                    value: got.value,
                };
                audit.see(witness, &observation);
            }
        }
        audit.close(witness)
    }
}

/// Verifies, and gives the exit code.
pub(crate) fn verify(options: &Verify) -> Result<u8> {
    ensure!(
        !options.explain || options.mqtt.is_some(),
        "--explain needs --mqtt HOST:PORT: there the gateway says what it refused"
    );
    ensure!(
        options.kafka.is_some() || options.mqtt.is_some(),
        "say who received: --kafka HOST:PORT, --mqtt HOST:PORT or both"
    );
    let clock = Clock::start();
    let mut subscribed = options
        .mqtt
        .as_deref()
        .map(|broker| subscriber::listen(broker, options, &clock))
        .transpose()?;
    let consumed = options
        .kafka
        .as_deref()
        .map(|broker| kafka::consume(broker, options, &clock))
        .transpose()?;
    let mut audit = Audit::default();
    for path in &options.ledger {
        let bytes =
            fs::read(path).with_context(|| format!("cannot read the ledger {}", path.display()))?;
        audit
            .read(&bytes)
            .with_context(|| path.display().to_string())?;
    }
    let refusals = subscribed.as_mut().and_then(|heard| heard.refusals.take());
    let contradiction = refusals.as_ref().and_then(Refusals::contradiction);
    if let Some(refusals) = refusals {
        audit.explain(refusals);
    }
    let mut accounts = Vec::new();
    let mut notes = Vec::new();
    for (name, sees_repeats, heard) in [("mqtt", true, subscribed), ("kafka", false, consumed)] {
        if let Some(heard) = heard {
            accounts.push(heard.tell(&mut audit, name, sees_repeats, options.known_only));
            notes.push(heard.note);
        }
    }
    let is_clean = accounts.iter().all(Account::is_clean) && contradiction.is_none();
    if options.json {
        crate::say(format_args!(
            "{:#}",
            json!({
                "clean": is_clean, "sent": audit.totals(), "witnesses": accounts,
                "contradiction": contradiction,
            })
        ));
    } else {
        print(options, &audit.totals(), &accounts, &notes);
        if let Some(contradiction) = contradiction {
            crate::say(contradiction);
        }
    }
    Ok(u8::from(!is_clean))
}

fn print(options: &Verify, totals: &Totals, accounts: &[Account], notes: &[String]) {
    crate::say(format_args!(
        "sent {} messages in {} run{}, {} acknowledged; {} readings, {} acknowledged, {} that may be refused",
        totals.messages,
        totals.runs,
        if totals.runs == 1 { "" } else { "s" },
        totals.acknowledged,
        totals.readings,
        totals.readings_acknowledged,
        totals.refusable
    ));
    for (account, note) in accounts.iter().zip(notes) {
        let counts: Vec<_> = account
            .faults()
            .map(|(name, count)| format!("{name} {}", count.count))
            .into();
        crate::say(format_args!(
            "{:<6} {} present · {}{note}",
            account.witness,
            account.present,
            counts.join(" · ")
        ));
        if account.refused > 0 || account.missing_unacknowledged > 0 {
            crate::say(format_args!(
                "       explained: {} refused, {} never acknowledged and missing",
                account.refused, account.missing_unacknowledged
            ));
        }
        for (reason, count) in &account.explained {
            crate::say(format_args!("       explained: {count} refused: {reason}"));
        }
        for (name, count) in account.faults() {
            for case in count.cases.iter().take(options.cases) {
                crate::say(format_args!("       {name}: {}", told(case)));
            }
        }
    }
}

fn told(case: &Case) -> String {
    let sequence = case
        .sequence
        .map_or_else(String::new, |sequence| format!(" sequence {sequence}"));
    let time = case.time.map_or_else(
        || " without a time".to_owned(),
        |time| format!(" at {}", date(time)),
    );
    let value = case
        .value
        .map_or_else(String::new, |value| format!(" value {value}"));
    format!("{}/{}{sequence}{time}{value}", case.device, case.signal)
}

/// A time as people write it (UTC), with the ms since 1970 behind it.
fn date(time: i64) -> String {
    format!("{:.3}Z ({time})", Date(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_told_with_its_sequence_and_time() {
        let case = Case {
            device: "pump".into(),
            signal: "flow".into(),
            sequence: Some(7),
            time: Some(1000),
            value: Some(2.5),
        };
        assert_eq!(
            told(&case),
            "pump/flow sequence 7 at 1970-01-01T00:00:01.000Z (1000) value 2.5"
        );
    }
}
