//! A recording: rows of a CSV file with a time and values, as they stand, gaps and bad cells included; or JSON, an object a line.

use crate::profile::is_name;

mod ndjson;

pub use ndjson::{Object, Objects, read_objects};

/// How a file is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What stands between two cells.
    pub delimiter: char,
    /// The column of the time.
    pub time_column: String,
    /// The columns of the values; all others if empty.
    pub columns: Vec<String>,
}

/// The rows of a file.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    lines: core::iter::Enumerate<core::str::Lines<'a>>,
    delimiter: char,
    time_at: usize,
    /// Place of each wanted column.
    places: Vec<usize>,
    signals: Vec<String>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// Its line in the file, from 1.
    pub line: usize,
    /// Its time, ms since the Unix epoch.
    pub time: i64,
    /// The wanted cells as they stand; empty where there is none.
    pub cells: Vec<&'a str>,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// There is no first line with names.
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    /// A column is not there.
    #[error("no column is called {0:?}; the columns are {1}")]
    Column(String, String),
    /// A line is no JSON object.
    #[error("line {line} is no JSON object: {reason}")]
    Object {
        /// Which line, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
    /// A time can't be read.
    #[error(
        "line {line}: {text:?} is no time; known are ms or s since 1970, 2010-01-31 and 2010-01-31 08:15:30.250"
    )]
    Time {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

impl<'a> Recording<'a> {
    /// Opens a recording.
    ///
    /// # Errors
    /// [`RecordingError`] if the file or a column is missing.
    pub fn new(text: &'a str, layout: &Layout) -> Result<Self, RecordingError> {
        let mut lines = text.lines().enumerate();
        let (_, head) = lines.next().ok_or(RecordingError::Empty)?;
        let names: Vec<&str> =
            split(head.trim_start_matches('\u{feff}'), layout.delimiter).collect();
        let place = |wanted: &str| {
            names
                .iter()
                .position(|name| *name == wanted)
                .ok_or_else(|| RecordingError::Column(wanted.to_owned(), names.join(", ")))
        };
        let time_at = place(&layout.time_column)?;
        let places = if layout.columns.is_empty() {
            (0..names.len()).filter(|at| *at != time_at).collect()
        } else {
            layout
                .columns
                .iter()
                .map(|column| place(column))
                .collect::<Result<Vec<_>, _>>()?
        };
        let signals = places.iter().map(|at| signal_of(names[*at])).collect();
        Ok(Self {
            lines,
            delimiter: layout.delimiter,
            time_at,
            places,
            signals,
        })
    }

    /// The signals, one for each wanted column: its name, made fit for a topic.
    #[must_use]
    pub fn signals(&self) -> &[String] {
        &self.signals
    }
}

impl<'a> Iterator for Recording<'a> {
    type Item = Result<Row<'a>, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (at, line) = self.lines.find(|(_, line)| !line.trim().is_empty())?;
        let cells: Vec<&str> = split(line, self.delimiter).collect();
        let text = cells.get(self.time_at).copied().unwrap_or_default();
        let Some(time) = read_time(text) else {
            return Some(Err(RecordingError::Time {
                line: at + 1,
                text: text.to_owned(),
            }));
        };
        let cells = self
            .places
            .iter()
            .map(|place| cells.get(*place).copied().unwrap_or_default())
            .collect();
        Some(Ok(Row {
            line: at + 1,
            time,
            cells,
        }))
    }
}

/// Cells of a line. Quotes around a whole cell are taken off; none of the known sets has a delimiter within quotes.
fn split(line: &str, delimiter: char) -> impl Iterator<Item = &str> {
    let parts = line.split(move |it: char| it == delimiter || (delimiter == ' ' && it == '\t'));
    parts
        .filter(move |cell| delimiter != ' ' || !cell.is_empty())
        .map(|cell| {
            let cell = cell.trim();
            cell.strip_prefix('"')
                .and_then(|cell| cell.strip_suffix('"'))
                .unwrap_or(cell)
        })
}

/// A column's name as the level of a topic.
fn signal_of(column: &str) -> String {
    let fit: String = column
        .chars()
        .map(|it| {
            if it.is_whitespace() || "/+#\"\\$".contains(it) || it.is_control() {
                '-'
            } else {
                it
            }
        })
        .collect();
    if is_name(&fit) {
        fit
    } else {
        "value".to_owned()
    }
}

/// A time as ms since the Unix epoch, taken as UTC: a count of ms or s, or a date with or without a time of day.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches('Z');
    if let Ok(number) = text.parse::<f64>() {
        // 1e11 s are the year 5138, 1e11 ms are 1973.
        let ms = if number.abs() < 1e11 {
            number * 1000.0
        } else {
            number
        };
        return (ms.abs() < 9e15).then_some(ms.round() as i64);
    }
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, "0:0"),
    };
    let mut parts = date.split(['-', '/']).map(str::parse::<i64>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    Some(days_since_epoch(year, month, day) * 86_400_000 + read_time_of_day(time)?)
}

fn read_time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hour: f64 = parts.next()?.parse().ok()?;
    let minute: f64 = parts.next()?.parse().ok()?;
    let second: f64 = parts.next().unwrap_or("0").parse().ok()?;
    let is_time = (0.0..24.0).contains(&hour)
        && (0.0..60.0).contains(&minute)
        && (0.0..61.0).contains(&second);
    (is_time && parts.next().is_none())
        .then(|| ((hour * 60.0 + minute) * 60_000.0 + second * 1000.0).round() as i64)
}

/// Days of the Gregorian calendar since 1970-01-01: years begin in March, so that the leap day is the last.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days =
        365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
    // 719 468 days lie between the 1st of March of the year 0 and the epoch.
    days - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(delimiter: char, columns: &[&str]) -> Layout {
        Layout {
            delimiter,
            time_column: "time".into(),
            columns: columns.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    #[test]
    fn rows_come_with_their_cells_as_they_stand() {
        let text = "time;Flow RateRMS;x;anomaly\n2020-03-09 10:14:33;32.0;NaN;0.0\n\n2020-03-09 10:14:34;;\"7\";1.0\n2020-03-09 10:14:36";
        let recording = Recording::new(text, &layout(';', &["x", "Flow RateRMS"])).unwrap();
        assert_eq!(recording.signals(), ["x", "Flow-RateRMS"]);
        let rows: Vec<_> = recording.map(Result::unwrap).collect();
        let time = 1_583_748_873_000;
        assert_eq!(
            rows[0],
            Row {
                line: 2,
                time,
                cells: vec!["NaN", "32.0"]
            }
        );
        assert_eq!(
            rows[1],
            Row {
                line: 4,
                time: time + 1000,
                cells: vec!["7", ""]
            }
        );
        assert_eq!(
            rows[2],
            Row {
                line: 5,
                time: time + 3000,
                cells: vec!["", ""]
            }
        );
    }

    #[test]
    fn without_names_all_columns_but_the_time_are_taken() {
        let recording = Recording::new("a,time,b/c\n", &layout(',', &[])).unwrap();
        assert_eq!(recording.signals(), ["a", "b-c"]);
        let blanks = Recording::new("time  a   b\n1 2   3\n", &layout(' ', &[])).unwrap();
        assert_eq!(
            blanks.map(|row| row.unwrap().cells).collect::<Vec<_>>(),
            [["2", "3"]]
        );
    }

    #[test]
    fn times_are_read_in_the_usual_forms() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("2000-02-29 00:00:01", 951_782_401_000),
            ("2020-03-09T10:14:33.250Z", 1_583_748_873_250),
            ("2010/12/31 23:59", 1_293_839_940_000),
            ("1969-12-31 23:59:59", -1000),
            ("1583748873", 1_583_748_873_000),
            ("1583748873250", 1_583_748_873_250),
            ("12", 12_000),
        ] {
            assert_eq!(read_time(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "now",
            "2020-13-01",
            "2020-01-01 25:00",
            "2020-01-01 1:2:3:4",
            "2020-01",
            "1e300",
            "NaN",
        ] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |text, columns: &[&str]| {
            Recording::new(text, &layout(',', columns))
                .unwrap_err()
                .to_string()
        };
        assert!(error("", &[]).contains("empty"));
        assert!(error("time,a", &["b"]).contains("\"b\"; the columns are time, a"));
        let mut recording = Recording::new("time,a\n\nyesterday,1\n", &layout(',', &[])).unwrap();
        assert!(
            recording
                .next()
                .unwrap()
                .unwrap_err()
                .to_string()
                .contains("line 3")
        );
    }
}
