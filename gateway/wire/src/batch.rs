//! A batch of readings: a dictionary of its sensors, then one section per column.
//!
//! Columns of one kind stand together over all sensors, which is what a compressor likes best.

use crate::bytes::{Cursor, Full, Malformed, Writer};
use crate::column::{Numbers, write_numbers};
use crate::dictionary::{Group, SensorName, read_group, write_group};
use crate::frame::{Clock, Frame, Kind};
use crate::reading::{Content, Flags, Row, SensorId, Timestamp};
use crate::times::{Lags, Times, open_times, write_lags, write_times};

/// Bits of a mark which say what kind of content the row has; the flags stand above them.
const CONTENT_BITS: u32 = 3;

/// Writes a batch of `rows`, which should stand sensor by sensor (a sensor that comes twice is named twice), each sensor's
/// in the order of arrival. Gives the bytes of `buffer` that were filled.
///
/// # Errors
/// [`Full`] if the batch doesn't fit: write two of half the rows.
pub fn write_batch<'b, 'n, R: AsRef<Row>>(
    gateway: &str,
    at: Timestamp,
    rows: &[R],
    name: impl Fn(SensorId) -> SensorName<'n>,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Full> {
    let groups = || rows.chunk_by(|a, b| a.as_ref().sensor == b.as_ref().sensor);
    Frame {
        kind: Kind::Telemetry,
        gateway,
        at,
        clock: Clock::Synced,
    }
    .write(buffer, |writer| {
        writer.section(|writer| {
            groups().try_for_each(|group| {
                let sensor = group[0].as_ref().sensor;
                write_group(
                    writer,
                    &Group {
                        sensor,
                        name: name(sensor),
                        items: group.len() as u64,
                    },
                )
            })
        })?;
        writer.section(|writer| write_marks(writer, rows))?;
        writer.section(|writer| {
            groups().try_for_each(|group| {
                let times = group.iter().map(|row| row.as_ref().time.0);
                write_times(writer, at.0, times, group.iter().map(lag))
            })
        })?;
        writer.section(|writer| {
            groups().try_for_each(|group| write_lags(writer, group.iter().map(lag)))
        })?;
        writer.section(|writer| {
            groups().try_for_each(|group| {
                write_numbers(writer, group.iter().filter_map(|row| value(row.as_ref())))
            })
        })?;
        writer.section(|writer| {
            groups().try_for_each(|group| {
                write_numbers(
                    writer,
                    group.iter().filter_map(|row| other_raw(row.as_ref())),
                )
            })
        })
    })
}

fn value(row: &Row) -> Option<f64> {
    row.content.value()
}

/// What was sent, where the value doesn't say it already.
fn other_raw(row: &Row) -> Option<f64> {
    match row.content {
        Content::Refused(raw) | Content::Repaired { raw, .. } => Some(raw),
        Content::AsSent(_) | Content::Filled(_) | Content::Nothing => None,
    }
}

/// What a row is, in one number: the kind of its content, and its flags.
fn mark(row: &Row) -> u64 {
    let content = match row.content {
        Content::AsSent(_) => 0,
        Content::Refused(_) => 1,
        Content::Repaired { .. } => 2,
        Content::Filled(_) => 3,
        Content::Nothing => 4,
    };
    u64::from(row.flags.0) << CONTENT_BITS | content
}

/// Marks are alike for long stretches: each is written once with the length of its run.
fn write_marks<R: AsRef<Row>>(writer: &mut Writer<'_>, rows: &[R]) -> Result<(), Full> {
    for run in rows.chunk_by(|a, b| mark(a.as_ref()) == mark(b.as_ref())) {
        writer.unsigned(run.len() as u64)?;
        writer.unsigned(mark(run[0].as_ref()))?;
    }
    Ok(())
}

/// The lag of a reading is its arrival less its time.
fn lag<R: AsRef<Row>>(row: &R) -> i64 {
    let Row { time, arrival, .. } = row.as_ref();
    arrival.0.wrapping_sub(time.0)
}

/// The rows of a batch, one by one; the first error ends it.
#[derive(Clone, Copy, Debug)]
pub struct BatchReader<'a> {
    frame: Frame<'a>,
    columns: Columns<'a>,
    group: Option<OpenGroup<'a>>,
    mark: Run,
    over: bool,
}

/// Where reading stands in each column.
#[derive(Clone, Copy, Debug)]
struct Columns<'a> {
    dictionary: Cursor<'a>,
    marks: Cursor<'a>,
    times: Cursor<'a>,
    lags: Cursor<'a>,
    values: Cursor<'a>,
    raws: Cursor<'a>,
}

/// The sensor whose rows are being read.
#[derive(Clone, Copy, Debug)]
struct OpenGroup<'a> {
    group: Group<'a>,
    times: Times,
    lags: Lags,
    values: Numbers,
    raws: Numbers,
}

/// Rows that have one mark.
#[derive(Clone, Copy, Debug)]
struct Run {
    left: u64,
    mark: u64,
}

impl<'a> BatchReader<'a> {
    /// Opens a batch of readings.
    ///
    /// # Errors
    /// [`Malformed`] if these are not the bytes of one. Most of the body is read, and judged, row by row later.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (frame, mut body) = Frame::open_as(Kind::Telemetry, bytes)?;
        let columns = Columns {
            dictionary: body.section()?,
            marks: body.section()?,
            times: body.section()?,
            lags: body.section()?,
            values: body.section()?,
            raws: body.section()?,
        };
        body.end()?;
        Ok(Self {
            frame,
            columns,
            group: None,
            mark: Run { left: 0, mark: 0 },
            over: false,
        })
    }

    /// Who wrote the batch, and when.
    #[must_use]
    pub const fn frame(&self) -> Frame<'a> {
        self.frame
    }

    fn read(&mut self) -> Result<Option<(SensorName<'a>, Row)>, Malformed> {
        let mut open = match self.group.take() {
            Some(open) => open,
            None if self.columns.dictionary.end().is_ok() => return self.end().map(|()| None),
            None => self.columns.open_group(self.frame.at)?,
        };
        let mark = self.mark.read(&mut self.columns.marks)?;
        let time = open.times.read(&mut self.columns.times)?;
        let lag = open.lags.read(&mut self.columns.lags)?;
        let row = Row {
            time: Timestamp(time),
            arrival: Timestamp(time.wrapping_add(lag)),
            content: self.columns.content(&mut open, mark)?,
            flags: Flags(
                u32::try_from(mark >> CONTENT_BITS)
                    .map_err(|_| Malformed::Part("mark above 32 bits of flags"))?,
            ),
            sensor: open.group.sensor,
        };
        let name = open.group.name;
        open.group.items -= 1;
        self.group = (open.group.items > 0).then_some(open);
        Ok(Some((name, row)))
    }

    fn end(&self) -> Result<(), Malformed> {
        let Columns {
            dictionary: _,
            marks,
            times,
            lags,
            values,
            raws,
        } = &self.columns;
        if self.mark.left > 0 {
            return Err(Malformed::Part("run of marks without rows"));
        }
        [marks, times, lags, values, raws]
            .into_iter()
            .try_for_each(Cursor::end)
    }
}

impl<'a> Columns<'a> {
    fn open_group(&mut self, base: Timestamp) -> Result<OpenGroup<'a>, Malformed> {
        let group = read_group(&mut self.dictionary)?;
        let (times, lags) = open_times(base.0, &mut self.times, &mut self.lags)?;
        Ok(OpenGroup {
            group,
            times,
            lags,
            values: Numbers::default(),
            raws: Numbers::default(),
        })
    }

    fn content(&mut self, open: &mut OpenGroup<'a>, mark: u64) -> Result<Content, Malformed> {
        Ok(match mark & ((1 << CONTENT_BITS) - 1) {
            0 => Content::AsSent(open.values.read(&mut self.values)?),
            1 => Content::Refused(open.raws.read(&mut self.raws)?),
            2 => Content::Repaired {
                value: open.values.read(&mut self.values)?,
                raw: open.raws.read(&mut self.raws)?,
            },
            3 => Content::Filled(open.values.read(&mut self.values)?),
            4 => Content::Nothing,
            _ => return Err(Malformed::Part("kind of content")),
        })
    }
}

impl Run {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<u64, Malformed> {
        if self.left == 0 {
            self.left = cursor.unsigned()?;
            self.mark = cursor.unsigned()?;
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or(Malformed::Part("empty run of marks"))?;
        Ok(self.mark)
    }
}

impl<'a> Iterator for BatchReader<'a> {
    type Item = Result<(SensorName<'a>, Row), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.read().transpose();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

#[cfg(test)]
mod tests;
