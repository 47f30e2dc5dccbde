//! A recording of which each line is a JSON object: a time, and values by name, flat or within `values`.

use serde_json::{Map, Value};

use super::{Layout, RecordingError, read_time, signal_of};

/// Names that a message of the simulator carries beside its values.
const PROOF: [&str; 4] = ["boot", "seq", "crc", "pad"];

/// The rows of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    /// The signals, in the order in which they first appear: their names, made fit for a topic.
    pub signals: Vec<String>,
    /// The rows.
    pub rows: Vec<Object>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its time, ms since the Unix epoch.
    pub time: i64,
    /// For each signal what it says: empty for null, `None` where the object doesn't name it.
    pub cells: Vec<Option<String>>,
}

/// Reads at most `rows_max` objects, one a line. The time stands in the layout's column, or in `ts` or `timestamp`.
///
/// # Errors
/// [`RecordingError`] with the first line that is no object with a time.
pub fn read_objects(
    text: &str,
    layout: &Layout,
    rows_max: usize,
) -> Result<Objects, RecordingError> {
    let mut names = layout.columns.clone();
    let mut rows = Vec::new();
    let lines = text.lines().enumerate();
    for (at, line) in lines
        .filter(|(_, line)| !line.trim().is_empty())
        .take(rows_max)
    {
        let object: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| RecordingError::Object {
                line: at + 1,
                reason: error.to_string(),
            })?;
        let time =
            time_of(&object, layout).map_err(|text| RecordingError::Time { line: at + 1, text })?;
        let mut cells = vec![None; names.len()];
        for (name, value) in values_of(&object, layout) {
            let place = match names.iter().position(|known| known == name) {
                Some(place) => place,
                None if layout.columns.is_empty() => {
                    names.push(name.clone());
                    cells.push(None);
                    names.len() - 1
                }
                None => continue,
            };
            cells[place] = Some(cell(value));
        }
        rows.push(Object { time, cells });
    }
    // A signal may appear late; the rows before it don't name it.
    rows.iter_mut()
        .for_each(|row| row.cells.resize(names.len(), None));
    let signals = names.iter().map(|name| signal_of(name)).collect();
    Ok(Objects { signals, rows })
}

/// The time, or what stands in its place.
fn time_of(object: &Map<String, Value>, layout: &Layout) -> Result<i64, String> {
    let names = [layout.time_column.as_str(), "ts", "timestamp"];
    let found = names.iter().find_map(|name| object.get(*name));
    let text = found.map_or_else(String::new, cell);
    read_time(&text).ok_or(text)
}

fn values_of<'a>(
    object: &'a Map<String, Value>,
    layout: &Layout,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let values = object.get("values").and_then(Value::as_object);
    let is_time = |name: &str| ["ts", "timestamp"].contains(&name) || name == layout.time_column;
    values.unwrap_or(object).iter().filter(move |(name, _)| {
        !is_time(name) && (values.is_some() || !PROOF.contains(&name.as_str()))
    })
}

/// A value as a cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is) => u8::from(*is).to_string(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, columns: &[&str]) -> Result<Objects, RecordingError> {
        let layout = Layout {
            delimiter: ',',
            time_column: "time".into(),
            columns: columns.iter().map(|&it| it.to_owned()).collect(),
        };
        read_objects(text, &layout, 10)
    }

    fn check(text: &str, columns: &[&str], signals: &[&str], rows: &[(i64, &[Option<&str>])]) {
        let objects = read(text, columns).unwrap();
        assert_eq!(objects.signals, signals);
        let told: Vec<_> = objects
            .rows
            .iter()
            .map(|row| (row.time, row.cells.iter().map(Option::as_deref).collect()))
            .collect();
        let expected: Vec<(i64, Vec<Option<&str>>)> = rows
            .iter()
            .map(|(time, cells)| (*time, cells.to_vec()))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_an_object_does_not_name_is_not_there() {
        let text = "{\"time\":1764000000000,\"a\":1.50,\"b\":null}\n\n{\"ts\":\"2025-11-24 16:00:01\",\"c d\":true}\n";
        check(
            text,
            &[],
            &["a", "b", "c-d"],
            &[
                (1_764_000_000_000, &[Some("1.5"), Some(""), None]),
                (1_764_000_001_000, &[None, None, Some("1")]),
            ],
        );
        check(
            text,
            &["b"],
            &["b"],
            &[
                (1_764_000_000_000, &[Some("")]),
                (1_764_000_001_000, &[None]),
            ],
        );
    }

    #[test]
    fn messages_of_the_simulator_can_be_replayed() {
        let text = "{\"ts\":1764000000000,\"values\":{\"t\":21.5,\"seq\":3},\"boot\":1,\"seq\":1,\"crc\":5}";
        check(
            text,
            &[],
            &["seq", "t"],
            &[(1_764_000_000_000, &[Some("3"), Some("21.5")])],
        );
        check(
            "{\"ts\":1764000000000,\"value\":2,\"boot\":1,\"seq\":1,\"crc\":5}",
            &[],
            &["value"],
            &[(1_764_000_000_000, &[Some("2")])],
        );
    }

    #[test]
    fn what_is_no_object_with_a_time_is_refused_with_its_line() {
        let error = read("{\"ts\":1764000000000}\n[1]", &[]).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        let error = read("{\"a\":1}", &[]).unwrap_err();
        assert!(
            matches!(error, RecordingError::Time { line: 1, .. }),
            "{error}"
        );
    }
}
