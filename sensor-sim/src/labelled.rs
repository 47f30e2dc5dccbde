//! Public data sets with labels, read as labels of ours: NAB's windows and SKAB's columns.

use std::collections::BTreeMap;

use crate::recording::{Layout, Recording, RecordingError, read_time};
use crate::truth::{Kind, Label};

/// Why labels of a data set can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelledError {
    /// The windows are no JSON of that form.
    #[error(
        "these are no windows of NAB: {0}; it is {{\"folder/file.csv\": [[from, until], ...]}}"
    )]
    Windows(#[from] serde_json::Error),
    /// A time of a window can't be read.
    #[error("window of {file}: {text:?} is no time")]
    Time {
        /// Whose window.
        file: String,
        /// What stands there.
        text: String,
    },
    /// The file has no windows of its own.
    #[error(
        "the windows name no file {file:?}; a name that ends so is enough, it must fit one only ({fits} do)"
    )]
    File {
        /// Which file was looked for.
        file: String,
        /// How many names end so.
        fits: usize,
    },
    /// The CSV can't be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Labels of `file` from the combined windows of NAB, as faults of `device` and `signal`.
///
/// NAB doesn't say what was wrong, so that all are called a step. Its files have one column `value`.
///
/// # Errors
/// [`LabelledError`] if the text is of another form, or `file` is not in it.
pub fn read_nab(
    windows: &str,
    file: &str,
    device: &str,
    signal: &str,
) -> Result<Vec<Label>, LabelledError> {
    let all: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(windows)?;
    let fitting: Vec<_> = all
        .iter()
        .filter(|(name, _)| {
            *name == file
                || file.ends_with(&format!("/{name}"))
                || name.ends_with(&format!("/{file}"))
        })
        .collect();
    let &[(name, windows)] = &fitting[..] else {
        return Err(LabelledError::File {
            file: file.to_owned(),
            fits: fitting.len(),
        });
    };
    let time = |text: &String| {
        read_time(text).ok_or_else(|| LabelledError::Time {
            file: name.clone(),
            text: text.clone(),
        })
    };
    windows
        .iter()
        .map(|[from, until]| {
            Ok(Label {
                device: device.to_owned(),
                signal: Some(signal.to_owned()),
                kind: Kind::Step,
                from_ms: time(from)?,
                until_ms: time(until)?,
                size: 1.0,
            })
        })
        .collect()
}

/// Labels of a SKAB file, as faults of the whole `device`: each run of rows whose `column` is not 0 is one.
///
/// A label lasts until the next row that has none, or at the end of the file 1 ms beyond the last row.
///
/// # Errors
/// [`LabelledError`] if the file or the column can't be read.
pub fn read_skab(
    text: &str,
    layout: &Layout,
    column: &str,
    device: &str,
) -> Result<Vec<Label>, LabelledError> {
    let layout = Layout {
        columns: vec![column.to_owned()],
        ..layout.clone()
    };
    let mut labels: Vec<Label> = Vec::new();
    let mut is_open = false;
    for row in Recording::new(text, &layout)? {
        let row = row?;
        let is_wrong = row.cells[0].parse::<f64>().is_ok_and(|mark| mark != 0.0);
        match labels.last_mut().filter(|_| is_open) {
            Some(label) => label.until_ms = row.time + i64::from(is_wrong),
            None if is_wrong => labels.push(Label {
                device: device.to_owned(),
                signal: None,
                kind: Kind::Step,
                from_ms: row.time,
                until_ms: row.time + 1,
                size: 1.0,
            }),
            None => {}
        }
        is_open = is_wrong;
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: &str = r#"{
        "a/one.csv": [],
        "b/two.csv": [["1970-01-01 00:00:10.000000", "1970-01-01 00:01:00.000000"],
                      ["1970-01-01 01:00:00.000000", "1970-01-01 02:00:00.000000"]],
        "c/two.csv": [["yesterday", "today"]]
    }"#;

    #[test]
    fn nab_windows_become_labels() {
        let spans = |file: &str| -> Vec<_> {
            let labels = read_nab(WINDOWS, file, "d", "value").unwrap();
            labels.iter().map(|it| (it.from_ms, it.until_ms)).collect()
        };
        assert_eq!(
            spans("b/two.csv"),
            [(10_000, 60_000), (3_600_000, 7_200_000)]
        );
        assert_eq!(spans("data/b/two.csv"), spans("b/two.csv"));
        assert_eq!(spans("one.csv"), []);
    }

    #[test]
    fn a_file_without_windows_is_no_file_without_faults() {
        let error = |file| read_nab(WINDOWS, file, "d", "v").unwrap_err().to_string();
        assert!(error("three.csv").contains("0 do"));
        assert!(error("two.csv").contains("2 do"));
        assert!(error("c/two.csv").contains("\"yesterday\" is no time"));
        assert!(read_nab("[]", "x", "d", "v").is_err());
    }

    #[track_caller]
    fn check_skab(marks: &[&str], expected: &[(i64, i64)]) {
        let mut text = "datetime;x;anomaly;changepoint\n".to_owned();
        for (at, mark) in marks.iter().enumerate() {
            text += &format!("1970-01-01 00:00:{at:02};1;{mark};0.0\n");
        }
        let layout = Layout {
            delimiter: ';',
            time_column: "datetime".into(),
            columns: vec![],
        };
        let labels = read_skab(&text, &layout, "anomaly", "d").unwrap();
        let spans: Vec<_> = labels.iter().map(|it| (it.from_ms, it.until_ms)).collect();
        assert_eq!(spans, expected, "{marks:?}");
        assert!(labels.iter().all(|it| it.signal.is_none()));
    }

    #[test]
    fn runs_of_marked_rows_become_labels() {
        check_skab(&[], &[]);
        check_skab(&["0.0", "0.0"], &[]);
        check_skab(
            &["0.0", "1.0", "1.0", "0.0", "1.0", "0"],
            &[(1000, 3000), (4000, 5000)],
        );
        check_skab(&["1", "0.0"], &[(0, 1000)]);
        check_skab(&["0", "0", "1.0"], &[(2000, 2001)]);
        check_skab(&["0", "1", "1"], &[(1000, 2001)]);
        check_skab(&["0", "", "1"], &[(2000, 2001)]);
    }

    #[test]
    fn a_column_that_is_missing_is_named() {
        let layout = Layout {
            delimiter: ';',
            time_column: "datetime".into(),
            columns: vec![],
        };
        let error = read_skab("datetime;x\n", &layout, "anomaly", "d").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"anomaly\"; the columns are datetime, x")
        );
    }
}
