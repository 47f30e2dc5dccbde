//! Summaries: what the values of one window of one sensor come to, and batches of them.

use crate::bytes::{Cursor, Full, Malformed, Writer};
use crate::dictionary::{Group, SensorName, read_group, write_group};
use crate::frame::{Clock, Frame, Kind};
use crate::reading::{SensorId, Timestamp};
use crate::sketch::Sketch;
use crate::stats::Stats;
use serde::{Deserialize, Serialize};

/// How windows of one kind follow each other.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum WindowKind {
    /// End to end.
    #[default]
    Tumbling = 0,
    /// One every hop; they overlap.
    Sliding = 1,
    /// From the first value behind a pause to the last one before the next.
    Session = 2,
}

impl WindowKind {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tumbling => "tumbling",
            Self::Sliding => "sliding",
            Self::Session => "session",
        }
    }
}

/// A span of event time, half open: a reading at its end belongs to the next one. Starts are multiples of the hop (for
/// tumbling windows: of the length) since the Unix epoch; a session starts with its first value.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Window {
    /// Its first instant, by the sensor's clock.
    pub start: Timestamp,
    /// Its length in ms; of a session up to its last value.
    pub length_ms: u32,
    /// Tumbling, sliding or a session.
    pub kind: WindowKind,
}

/// What became of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Whose window it is.
    pub sensor: SensorId,
    /// Which window it is.
    pub window: Window,
    /// The statistics of its values; none if all its readings were bad.
    pub stats: Option<Stats>,
    /// How many of the values are of uncertain quality.
    pub uncertain: u32,
    /// How many bad readings fell into the window, beside the values.
    pub bad: u32,
    /// The exponentially weighted moving average when the window was closed, if one is configured.
    pub ewma: Option<f64>,
    /// What its quantiles are read from, if they are asked for.
    pub sketch: Option<Sketch>,
    /// 0 at first; of several summaries of one window the one with the highest revision holds.
    pub revision: u32,
    /// Whether the gateway's clock closed it, and not a later reading: more may have been on its way.
    pub partial: bool,
    /// How far the times of its values can be trusted, where they are the gateway's.
    pub clock: Clock,
}

impl Summary {
    /// How many of the values are of good quality.
    #[must_use]
    pub fn good(&self) -> u32 {
        self.stats
            .map_or(0, |stats| stats.n)
            .saturating_sub(self.uncertain)
    }
}

impl AsRef<Self> for Summary {
    fn as_ref(&self) -> &Self {
        self
    }
}

const SLIDING: u8 = 1;
const PARTIAL: u8 = 1 << 1;
const HAS_STATS: u8 = 1 << 2;
const HAS_EWMA: u8 = 1 << 3;
const HAS_SKETCH: u8 = 1 << 4;
const SESSION: u8 = 1 << 5;
/// Where the clock stands, in two bits.
const CLOCK_BIT: u32 = 6;

/// Writes a batch of `summaries`, which should stand sensor by sensor (a sensor that comes twice is named twice). Gives the
/// bytes of `buffer` that were filled.
///
/// # Errors
/// [`Full`] if the batch doesn't fit: write two of half the summaries.
pub fn write_summaries<'b, 'n, S: AsRef<Summary>>(
    gateway: &str,
    at: Timestamp,
    summaries: &[S],
    name: impl Fn(SensorId) -> SensorName<'n>,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Full> {
    Frame {
        kind: Kind::Aggregates,
        gateway,
        at,
        clock: Clock::Synced,
    }
    .write(buffer, |writer| {
        for group in summaries.chunk_by(|a, b| a.as_ref().sensor == b.as_ref().sensor) {
            let sensor = group[0].as_ref().sensor;
            write_group(
                writer,
                &Group {
                    sensor,
                    name: name(sensor),
                    items: group.len() as u64,
                },
            )?;
            group
                .iter()
                .try_for_each(|summary| write_summary(writer, at, summary.as_ref()))?;
        }
        Ok(())
    })
}

fn write_summary(writer: &mut Writer<'_>, base: Timestamp, summary: &Summary) -> Result<(), Full> {
    let Window {
        start,
        length_ms,
        kind,
    } = summary.window;
    let mut marks = (summary.clock as u8) << CLOCK_BIT;
    for (mark, is_set) in [
        (SLIDING, kind == WindowKind::Sliding),
        (PARTIAL, summary.partial),
        (HAS_STATS, summary.stats.is_some()),
        (HAS_EWMA, summary.ewma.is_some()),
        (HAS_SKETCH, summary.sketch.is_some()),
        (SESSION, kind == WindowKind::Session),
    ] {
        marks |= if is_set { mark } else { 0 };
    }
    writer.byte(marks)?;
    writer.signed(start.0.wrapping_sub(base.0))?;
    for number in [length_ms, summary.revision, summary.uncertain, summary.bad] {
        writer.unsigned(u64::from(number))?;
    }
    if let Some(stats) = &summary.stats {
        write_stats(writer, start, stats)?;
    }
    summary.ewma.map_or(Ok(()), |ewma| writer.float(ewma))?;
    let sketch = summary.sketch.as_ref();
    sketch.map_or(Ok(()), |sketch| sketch.write(writer))
}

fn write_stats(writer: &mut Writer<'_>, start: Timestamp, stats: &Stats) -> Result<(), Full> {
    writer.unsigned(u64::from(stats.n))?;
    writer.unsigned(u64::from(stats.covered_ms))?;
    writer.signed(stats.first_at.wrapping_sub(start.0))?;
    writer.signed(stats.last_at.wrapping_sub(start.0))?;
    [
        stats.mean,
        stats.m2,
        stats.min,
        stats.max,
        stats.first,
        stats.last,
        stats.integral,
    ]
    .into_iter()
    .try_for_each(|number| writer.float(number))
}

/// The summaries of a batch, one by one; the first error ends it.
#[derive(Clone, Copy, Debug)]
pub struct SummaryReader<'a> {
    frame: Frame<'a>,
    body: Cursor<'a>,
    group: Option<Group<'a>>,
    over: bool,
}

impl<'a> SummaryReader<'a> {
    /// Opens a batch of summaries.
    ///
    /// # Errors
    /// [`Malformed`] if these are not the bytes of one. The body is read, and judged, summary by summary later.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (frame, body) = Frame::open_as(Kind::Aggregates, bytes)?;
        Ok(Self {
            frame,
            body,
            group: None,
            over: false,
        })
    }

    /// Who wrote the batch, and when.
    #[must_use]
    pub const fn frame(&self) -> Frame<'a> {
        self.frame
    }

    fn read(&mut self) -> Result<Option<(SensorName<'a>, Summary)>, Malformed> {
        let mut group = match self.group.take() {
            Some(group) => group,
            None if self.body.end().is_ok() => return Ok(None),
            None => read_group(&mut self.body)?,
        };
        let summary = read_summary(&mut self.body, self.frame.at, group.sensor)?;
        group.items -= 1;
        self.group = (group.items > 0).then_some(group);
        Ok(Some((group.name, summary)))
    }
}

impl<'a> Iterator for SummaryReader<'a> {
    type Item = Result<(SensorName<'a>, Summary), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.read().transpose();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

fn read_summary(
    cursor: &mut Cursor<'_>,
    base: Timestamp,
    sensor: SensorId,
) -> Result<Summary, Malformed> {
    let marks = cursor.byte()?;
    let kind = match marks & (SLIDING | SESSION) {
        0 => WindowKind::Tumbling,
        SLIDING => WindowKind::Sliding,
        SESSION => WindowKind::Session,
        _ => return Err(Malformed::Part("marks of a summary")),
    };
    let clock = Clock::read(marks >> CLOCK_BIT)?;
    let start = Timestamp(base.0.wrapping_add(cursor.signed()?));
    let length_ms = cursor.small("length of a window")?;
    Ok(Summary {
        sensor,
        window: Window {
            start,
            length_ms,
            kind,
        },
        revision: cursor.small("revision")?,
        uncertain: cursor.small("count")?,
        bad: cursor.small("count")?,
        stats: if marks & HAS_STATS == 0 {
            None
        } else {
            Some(read_stats(cursor, start)?)
        },
        ewma: if marks & HAS_EWMA == 0 {
            None
        } else {
            Some(cursor.float()?)
        },
        sketch: if marks & HAS_SKETCH == 0 {
            None
        } else {
            Some(Sketch::read(cursor)?)
        },
        partial: marks & PARTIAL != 0,
        clock,
    })
}

fn read_stats(cursor: &mut Cursor<'_>, start: Timestamp) -> Result<Stats, Malformed> {
    Ok(Stats {
        n: match cursor.small("count")? {
            0 => return Err(Malformed::Part("statistics of no value")),
            n => n,
        },
        covered_ms: cursor.small("covered time")?,
        first_at: start.0.wrapping_add(cursor.signed()?),
        last_at: start.0.wrapping_add(cursor.signed()?),
        mean: cursor.float()?,
        m2: cursor.float()?,
        min: cursor.float()?,
        max: cursor.float()?,
        first: cursor.float()?,
        last: cursor.float()?,
        integral: cursor.float()?,
    })
}

#[cfg(test)]
mod tests;
