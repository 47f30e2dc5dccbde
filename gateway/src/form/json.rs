//! The JSON form. Times are ms since 1970, UTC. What is not there is null, a number that JSON has no sign for is a word, as in
//! protobuf's own JSON: so any reader of that reads these too.

use std::io;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use wire::{Alert, Clock, Gap, Reasons, Row, SensorName, Sketch, Stats, Summary};

use super::{FormError, Sound, open};

/// A number, or the word for one that JSON has no sign for.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number if number > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

/// The names of reasons.
#[derive(Clone, Copy, Debug)]
pub struct ReasonNames(pub Reasons);

impl Serialize for ReasonNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.names())
    }
}

/// What quantiles are read from.
#[derive(Clone, Copy, Debug)]
pub struct SketchJson(Sketch);

impl Serialize for SketchJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Sketch", 3)?;
        fields.serialize_field("level", &self.0.level())?;
        fields.serialize_field("bins", &Items(|| self.0.bins().map(|(bin, _)| bin)))?;
        fields.serialize_field("counts", &Items(|| self.0.bins().map(|(_, count)| count)))?;
        fields.end()
    }
}

/// Whose item it is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Name<'a> {
    device: &'a str,
    signal: &'a str,
    unit: &'a str,
}

/// A reading.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ReadingJson<'a> {
    #[serde(flatten)]
    name: Name<'a>,
    time: i64,
    arrival: i64,
    value: Option<Number>,
    raw: Option<Number>,
    quality: &'static str,
    reasons: ReasonNames,
    /// How many readings before it were not forwarded.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_synced(clock: &str) -> bool {
    clock == Clock::Synced.name()
}

/// A summary. Its statistics can be merged with others, as gateway/wire/FORMAT.md says.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SummaryJson<'a> {
    #[serde(flatten)]
    name: Name<'a>,
    kind: &'static str,
    start: i64,
    length_ms: u32,
    n: u32,
    mean: Option<Number>,
    m2: Option<Number>,
    min: Option<Number>,
    max: Option<Number>,
    first: Option<Number>,
    last: Option<Number>,
    first_at: Option<i64>,
    last_at: Option<i64>,
    covered_ms: u32,
    integral: Option<Number>,
    stddev: Option<Number>,
    time_weighted_mean: Option<Number>,
    ewma: Option<Number>,
    sketch: Option<SketchJson>,
    uncertain: u32,
    bad: u32,
    revision: u32,
    partial: bool,
    #[serde(skip_serializing_if = "is_synced")]
    clock: &'static str,
}

/// An alert.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AlertJson<'a> {
    id: u64,
    gateway: &'a str,
    #[serde(flatten)]
    name: Name<'a>,
    rule: &'a str,
    kind: &'static str,
    state: &'static str,
    transition: &'static str,
    standing: &'static str,
    first_out: Option<u64>,
    severity: &'static str,
    at: i64,
    #[serde(skip_serializing_if = "is_synced")]
    clock: &'static str,
    since: i64,
    value: Option<Number>,
    limit: Option<Number>,
    why: &'a str,
}

/// A gap.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GapJson<'a> {
    gateway: &'a str,
    at: i64,
    lane: &'static str,
    reason: &'static str,
    from: u64,
    to: u64,
    count: u64,
}

impl<'a> From<SensorName<'a>> for Name<'a> {
    fn from(name: SensorName<'a>) -> Self {
        let SensorName {
            device,
            signal,
            unit,
        } = name;
        Self {
            device,
            signal,
            unit,
        }
    }
}

impl<'a> ReadingJson<'a> {
    /// The form of a reading.
    #[must_use]
    pub fn new(name: SensorName<'a>, row: &Row) -> Self {
        Self {
            name: name.into(),
            time: row.time.0,
            arrival: row.arrival.0,
            value: row.content.value().map(Number),
            raw: row.content.raw().map(Number),
            quality: row.flags.quality().name(),
            reasons: ReasonNames(row.flags.reasons()),
            left_out: row.flags.left_out(),
        }
    }
}

impl<'a> SummaryJson<'a> {
    /// The form of a summary.
    #[must_use]
    pub fn new(name: SensorName<'a>, summary: &Summary) -> Self {
        let stats = summary.stats.as_ref();
        let number = |of: fn(&Stats) -> f64| stats.map(of).map(Number);
        Self {
            name: name.into(),
            kind: summary.window.kind.name(),
            start: summary.window.start.0,
            length_ms: summary.window.length_ms,
            n: stats.map_or(0, |stats| stats.n),
            mean: number(|stats| stats.mean),
            m2: number(|stats| stats.m2),
            min: number(|stats| stats.min),
            max: number(|stats| stats.max),
            first: number(|stats| stats.first),
            last: number(|stats| stats.last),
            first_at: stats.map(|stats| stats.first_at),
            last_at: stats.map(|stats| stats.last_at),
            covered_ms: stats.map_or(0, |stats| stats.covered_ms),
            integral: number(|stats| stats.integral),
            stddev: stats.and_then(Stats::stddev).map(Number),
            time_weighted_mean: stats.and_then(Stats::time_weighted_mean).map(Number),
            ewma: summary.ewma.map(Number),
            sketch: summary.sketch.map(SketchJson),
            uncertain: summary.uncertain,
            bad: summary.bad,
            revision: summary.revision,
            partial: summary.partial,
            clock: summary.clock.name(),
        }
    }
}

impl<'a> AlertJson<'a> {
    /// The form of an alert.
    #[must_use]
    pub fn new(gateway: &'a str, alert: &'a Alert<'_>) -> Self {
        Self {
            id: alert.id,
            gateway,
            name: alert.name.into(),
            rule: alert.rule,
            kind: alert.kind.name(),
            state: alert.state().name(),
            transition: alert.transition.name(),
            standing: alert.standing.name(),
            first_out: alert.first_out,
            severity: alert.severity.name(),
            at: alert.at.0,
            clock: alert.clock.name(),
            since: alert.since.0,
            value: alert.value.map(Number),
            limit: alert.limit.map(Number),
            why: alert.why.as_str(),
        }
    }
}

impl<'a> GapJson<'a> {
    /// The form of a gap.
    #[must_use]
    pub fn new(gateway: &'a str, gap: &Gap) -> Self {
        Self {
            gateway,
            at: gap.at.0,
            lane: gap.lane.name(),
            reason: gap.reason.name(),
            from: gap.from,
            to: gap.to,
            count: gap.count,
        }
    }
}

#[derive(Serialize)]
struct TelemetryJson<'a, I: Serialize> {
    gateway: &'a str,
    at: i64,
    #[serde(skip_serializing_if = "is_synced")]
    clock: &'static str,
    readings: I,
}

#[derive(Serialize)]
struct AggregatesJson<'a, I: Serialize> {
    gateway: &'a str,
    at: i64,
    #[serde(skip_serializing_if = "is_synced")]
    clock: &'static str,
    summaries: I,
}

/// Items that are made while they are written.
struct Items<F>(F);

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for Items<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Writes the form of a row within the capacity of `buffer`.
pub(super) fn write(row: &[u8], buffer: &mut Vec<u8>) -> Result<(), FormError> {
    let out = Bounded(buffer);
    let written = match open(row)?.0 {
        Sound::Telemetry(frame, reader) => {
            let readings = || {
                let sound = reader.map_while(Result::ok);
                sound.map(|(name, row)| ReadingJson::new(name, &row))
            };
            let form = TelemetryJson {
                gateway: frame.gateway,
                at: frame.at.0,
                clock: frame.clock.name(),
                readings: Items(readings),
            };
            serde_json::to_writer(out, &form)
        }
        Sound::Aggregates(frame, reader) => {
            let summaries = || {
                let sound = reader.map_while(Result::ok);
                sound.map(|(name, summary)| SummaryJson::new(name, &summary))
            };
            let form = AggregatesJson {
                gateway: frame.gateway,
                at: frame.at.0,
                clock: frame.clock.name(),
                summaries: Items(summaries),
            };
            serde_json::to_writer(out, &form)
        }
        Sound::Alert(gateway, alert) => {
            serde_json::to_writer(out, &AlertJson::new(gateway, &alert))
        }
        Sound::Gap(gateway, gap) => serde_json::to_writer(out, &GapJson::new(gateway, &gap)),
    };
    // The keys are text, so that only the room can end.
    written.map_err(|_| FormError::TooLarge)
}

/// Refuses what would make the buffer grow.
struct Bounded<'b>(&'b mut Vec<u8>);

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.0.capacity() - self.0.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
