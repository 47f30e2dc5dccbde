//! Plays a recording: its rows become messages at the pace of the recording, a multiple of it, or as fast as they are acknowledged.

use std::collections::HashSet;

use sensor_sim::ledger::Expectation;

use crate::feed::Outgoing;

/// A row of a recording, ready to be played.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    /// Its time as recorded, ms since the Unix epoch.
    pub time: i64,
    /// Its cells, as they stand; `None` where it says nothing of a signal.
    pub cells: Vec<Option<String>>,
}

/// Plays rows.
#[derive(Debug)]
pub(crate) struct Player {
    rows: std::vec::IntoIter<Played>,
    /// Names of the signals; one message carries all if `joins_signals`.
    signals: Vec<String>,
    joins_signals: bool,
    first: i64,
    /// How many times faster than recorded.
    speed: f64,
    shift_ms: i64,
    sequence: u32,
    /// Readings that were sent: a device that says the same again is taken for one that repeats itself.
    sent: HashSet<(usize, i64, u64)>,
    payload: Vec<u8>,
}

impl Player {
    /// Plays `rows` at `speed` times their pace, their times moved by `shift_ms`.
    pub(crate) fn new(
        rows: Vec<Played>,
        signals: Vec<String>,
        joins_signals: bool,
        speed: f64,
        shift_ms: i64,
    ) -> Self {
        let first = rows.first().map_or(0, |row| row.time);
        Self {
            rows: rows.into_iter(),
            signals,
            joins_signals,
            first,
            speed,
            shift_ms,
            sequence: 0,
            sent: HashSet::new(),
            payload: Vec::new(),
        }
    }

    /// When the next row is due, µs after the start; `None` after the last one.
    pub(crate) fn due_us(&self) -> Option<u64> {
        let row = self.rows.as_slice().first()?;
        // A row that lies before the first one is due at once.
        Some(((row.time - self.first) as f64 * 1000.0 / self.speed) as u64)
    }

    /// Gives the messages of the next row.
    pub(crate) fn tick(&mut self, send: &mut dyn FnMut(&Outgoing<'_>)) {
        let Some(row) = self.rows.next() else { return };
        let time = row.time.saturating_add(self.shift_ms);
        let values: Vec<f64> = row
            .cells
            .iter()
            .map(|cell| cell.as_deref().and_then(number).unwrap_or(f64::NAN))
            .collect();
        let width = if self.joins_signals { values.len() } else { 1 };
        for (stream, values) in values.chunks(width).enumerate() {
            if !self.joins_signals && row.cells[stream].is_none() {
                continue;
            }
            self.write(time, stream, &row.cells[stream * width..][..values.len()]);
            self.sequence += 1;
            let expectation = self.expectation(stream, time, values);
            let (sequence, payload) = (self.sequence, &self.payload[..]);
            send(&Outgoing {
                stream,
                sequence,
                time,
                values,
                expectation,
                payload,
            });
        }
    }

    fn expectation(&mut self, stream: usize, time: i64, values: &[f64]) -> Expectation {
        if values.iter().any(|value| !value.is_finite()) {
            return Expectation::Refusable;
        }
        // All values count: two messages that differ in one of them are two.
        let digest = values
            .iter()
            .fold(0_u64, |sum, value| sum.rotate_left(9) ^ value.to_bits());
        if self.sent.insert((stream, time, digest)) {
            Expectation::Kept
        } else {
            Expectation::Repeat
        }
    }

    fn write(&mut self, time: i64, first: usize, cells: &[Option<String>]) {
        let sequence = self.sequence + 1;
        let mut text = format!("{{\"ts\":{time},");
        if self.joins_signals {
            let pairs = self
                .signals
                .iter()
                .zip(cells)
                .map(|(signal, cell)| format!("\"{signal}\":{}", json(cell.as_deref())));
            text += &format!("\"values\":{{{}}}", pairs.collect::<Vec<_>>().join(","));
        } else {
            debug_assert!(first < self.signals.len());
            text += &format!("\"value\":{}", json(cells[0].as_deref()));
        }
        text += &format!(",\"seq\":{sequence}}}");
        self.payload = text.into_bytes();
    }
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A cell as JSON: a number, `null` if it is empty, else its text.
fn json(cell: Option<&str>) -> String {
    let cell = cell.unwrap_or_default();
    match number(cell) {
        Some(value) => value.to_string(),
        None if cell.is_empty() => "null".to_owned(),
        None => serde_json::Value::from(cell).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(joins_signals: bool, rows: &[(i64, [&str; 2])]) -> Vec<(u64, String, Expectation)> {
        let rows = rows.iter().map(|(time, cells)| Played {
            time: *time,
            cells: cells.map(|cell| Some(cell.to_owned())).to_vec(),
        });
        let signals = vec!["a".to_owned(), "b".to_owned()];
        let mut player = Player::new(rows.collect(), signals, joins_signals, 2.0, 1000);
        let mut messages = Vec::new();
        while let Some(due_us) = player.due_us() {
            player.tick(&mut |it| {
                messages.push((
                    due_us,
                    String::from_utf8(it.payload.to_vec()).unwrap(),
                    it.expectation,
                ));
            });
        }
        messages
    }

    #[test]
    fn cells_are_sent_as_they_stand_and_gaps_are_kept() {
        let rows = [
            (5000, ["1.50", ""]),
            (5200, ["NaN", "+7"]),
            (65_200, ["a\"b", "1e3"]),
        ];
        let message = |due_us, text: &str, expectation| (due_us, text.to_owned(), expectation);
        assert_eq!(
            played(false, &rows),
            [
                message(0, r#"{"ts":6000,"value":1.5,"seq":1}"#, Expectation::Kept),
                message(
                    0,
                    r#"{"ts":6000,"value":null,"seq":2}"#,
                    Expectation::Refusable
                ),
                message(
                    100_000,
                    r#"{"ts":6200,"value":"NaN","seq":3}"#,
                    Expectation::Refusable
                ),
                message(
                    100_000,
                    r#"{"ts":6200,"value":7,"seq":4}"#,
                    Expectation::Kept
                ),
                message(
                    30_100_000,
                    r#"{"ts":66200,"value":"a\"b","seq":5}"#,
                    Expectation::Refusable
                ),
                message(
                    30_100_000,
                    r#"{"ts":66200,"value":1000,"seq":6}"#,
                    Expectation::Kept
                ),
            ]
        );
        assert_eq!(
            played(true, &rows[..1]),
            [message(
                0,
                r#"{"ts":6000,"values":{"a":1.5,"b":null},"seq":1}"#,
                Expectation::Refusable
            )]
        );
    }

    #[test]
    fn only_the_same_time_and_value_again_is_a_repeat() {
        let rows = [(0, ["1", "2"]), (0, ["1", "3"]), (5, ["1", "2"])];
        let expected: Vec<_> = played(false, &rows).into_iter().map(|it| it.2).collect();
        use Expectation::{Kept, Repeat};
        assert_eq!(expected, [Kept, Kept, Repeat, Kept, Kept, Kept]);
    }

    #[test]
    fn of_a_signal_that_a_row_does_not_name_nothing_is_sent() {
        let row = |cells: [Option<&str>; 2]| Played {
            time: 0,
            cells: cells.map(|cell| cell.map(str::to_owned)).to_vec(),
        };
        let rows = vec![row([None, Some("2")]), row([Some("1"), None])];
        let signals = vec!["a".to_owned(), "b".to_owned()];
        let mut player = Player::new(rows, signals, false, 1.0, 0);
        let mut streams = Vec::new();
        while player.due_us().is_some() {
            player.tick(&mut |it| streams.push((it.stream, it.sequence)));
        }
        assert_eq!(streams, [(1, 1), (0, 2)]);
    }
}
