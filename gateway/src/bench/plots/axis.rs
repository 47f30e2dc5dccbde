//! Where the axis of time has its marks, and what stands at them.

use sensor_sim::date::Date;

use super::curve::Span;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Steps that people read with ease, ms.
const STEPS_MS: [i64; 19] = [
    SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
    28 * DAY_MS,
    91 * DAY_MS,
];
/// Marks at most, as long as a step is long enough.
const MARKS_MAX: i64 = 10;
/// Steps by which plain numbers are counted.
const COUNTS: [i64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// What stands on the axis that all panels share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Times, UTC, in ms since 1970.
    Time,
    /// A number of this, each of which takes so many ms.
    Count(&'static str, i64),
}

impl Axis {
    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Time => "time (UTC)",
            Self::Count(name, _) => name,
        }
    }

    /// Its marks, with their words.
    pub(super) fn marks(self, span: Span) -> Vec<(i64, String)> {
        let (steps, unit): (&[i64], i64) = match self {
            Self::Time => (&STEPS_MS, 1),
            Self::Count(_, ms) => (&COUNTS, ms),
        };
        let mut steps = steps.iter().map(|step| step * unit);
        let fits = |step: &i64| span.length_ms() / step <= MARKS_MAX;
        let longest = span.length_ms() / MARKS_MAX;
        let step = steps.find(fits).unwrap_or(longest).max(1);
        let first = span.from.div_euclid(step) + i64::from(span.from.rem_euclid(step) > 0);
        (first..=span.until.div_euclid(step))
            .map(|count| (count * step, self.word(count * step, step)))
            .collect()
    }

    /// A length of time in its words.
    pub(crate) fn duration(self, ms: i64) -> String {
        let units = [
            (DAY_MS, "d"),
            (HOUR_MS, "h"),
            (MINUTE_MS, "min"),
            (SECOND_MS, "s"),
        ];
        match (self, units.into_iter().find(|(unit, _)| ms >= *unit)) {
            (Self::Count(name, unit), _) => format!("{} {name}s", ms / unit),
            (Self::Time, Some((unit, name))) => {
                let count = format!("{:.1}", ms as f64 / unit as f64);
                format!("{} {name}", count.trim_end_matches(".0"))
            }
            (Self::Time, None) => format!("{ms} ms"),
        }
    }

    fn word(self, time: i64, step: i64) -> String {
        if let Self::Count(_, ms) = self {
            return (time / ms).to_string();
        }
        // `2014-04-01T12:00:00`, of which some is enough.
        let date = Date(time).to_string();
        match step {
            DAY_MS.. => date[..10].to_owned(),
            MINUTE_MS.. => format!("{} {}", &date[5..10], &date[11..16]),
            _ => date[11..].to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: Axis, [from, until]: [i64; 2], expected: &[&str]) {
        let marks = axis.marks(Span { from, until });
        let words: Vec<_> = marks.into_iter().map(|mark| mark.1).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn times_are_marked_as_people_read_them() {
        check(
            Axis::Time,
            [-1, 12 * DAY_MS],
            &[
                "1970-01-01",
                "1970-01-03",
                "1970-01-05",
                "1970-01-07",
                "1970-01-09",
                "1970-01-11",
                "1970-01-13",
            ],
        );
        check(
            Axis::Time,
            [0, 2 * HOUR_MS],
            &[
                "01-01 00:00",
                "01-01 00:30",
                "01-01 01:00",
                "01-01 01:30",
                "01-01 02:00",
            ],
        );
        check(
            Axis::Count("cycle", 1),
            [1, 7],
            &["1", "2", "3", "4", "5", "6", "7"],
        );
        check(
            Axis::Count("cycle", 60),
            [60, 192 * 60],
            &["20", "40", "60", "80", "100", "120", "140", "160", "180"],
        );
    }
}
