//! Where an axis has its marks, and what stands at them.

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Steps of time that people read with ease, ms.
const STEPS_MS: [i64; 17] = [
    10 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
    100 * DAY_MS,
    200 * DAY_MS,
];
/// Marks of an axis of time at most.
const TIMES_MAX: i64 = 12;
/// Marks of an axis of values at most.
const VALUES_MAX: f64 = 5.0;

/// Marks of time between `from` and `until` (ms, counted from a Monday's midnight), with their words.
pub(super) fn times(from: i64, until: i64) -> Vec<(i64, String)> {
    let longest = STEPS_MS[STEPS_MS.len() - 1];
    let step = STEPS_MS
        .into_iter()
        .find(|step| (until - from) / step <= TIMES_MAX)
        .unwrap_or(longest);
    let first = from.div_euclid(step) + i64::from(from.rem_euclid(step) > 0);
    (first..=until.div_euclid(step))
        .map(|count| (count * step, word(count * step, step)))
        .collect()
}

/// What an axis of time is called: beyond some weeks only the days count.
pub(super) const fn name([from, until]: [i64; 2]) -> &'static str {
    if until - from > 2 * TIMES_MAX * DAY_MS {
        "time since the start"
    } else {
        "time (UTC)"
    }
}

fn word(time: i64, step: i64) -> String {
    let day = time.div_euclid(DAY_MS);
    let in_day = time.rem_euclid(DAY_MS);
    let (hour, minute) = (in_day / HOUR_MS, in_day / MINUTE_MS % 60);
    if step >= 7 * DAY_MS {
        format!("day {day}")
    } else if step >= DAY_MS {
        let week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        week[day.rem_euclid(7) as usize].to_owned()
    } else if step < MINUTE_MS {
        format!("{hour:02}:{minute:02}:{:02}", in_day / SECOND_MS % 60)
    } else {
        format!("{hour:02}:{minute:02}")
    }
}

/// Marks of values that enclose `low` and `high`, with their words; the first and the last are the axis's ends.
#[must_use]
pub fn values(low: f64, high: f64) -> Vec<(f64, String)> {
    let height = if high > low { high - low } else { 1.0 };
    let (step, decimals) = value_step(height / VALUES_MAX);
    let first = (low / step).floor() as i64;
    let last = ((high / step).ceil() as i64).max(first + 1);
    (first..=last)
        .map(|count| {
            let value = count as f64 * step;
            (value, format!("{value:.decimals$}").replace('-', "−"))
        })
        .collect()
}

/// The smallest of 1, 2, 5, 10, ... that is not below `least`, and the decimals that it needs.
fn value_step(least: f64) -> (f64, usize) {
    let (mut scale, mut decimals) = (1.0, 0);
    while scale > least {
        scale /= 10.0;
        decimals += 1;
    }
    while scale * 10.0 <= least {
        scale *= 10.0;
    }
    // Of 10 there is always one.
    let factor = [1.0, 2.0, 5.0].into_iter().find(|it| scale * it >= least);
    match factor {
        Some(factor) => (scale * factor, decimals),
        None => (scale * 10.0, decimals.max(1) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_values(low: f64, high: f64, expected: &[&str]) {
        let words: Vec<_> = values(low, high).into_iter().map(|it| it.1).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn values_are_marked_in_round_steps() {
        check_values(0.0, 1.0, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check_values(20.03, 20.31, &["20.0", "20.1", "20.2", "20.3", "20.4"]);
        check_values(-127.0, 85.0, &["−150", "−100", "−50", "0", "50", "100"]);
        check_values(3.0, 3.0, &["3.0", "3.2"]);
    }

    #[track_caller]
    fn check_times(from: i64, until: i64, expected: &[&str]) {
        let words: Vec<_> = times(from, until).into_iter().map(|it| it.1).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn times_are_marked_in_steps_of_the_clock() {
        let hours = ["00:00", "06:00", "12:00", "18:00", "00:00"];
        check_times(
            0,
            DAY_MS * 5 / 2,
            &["00:00", "06:00", "12:00", "18:00"].repeat(3)[..11],
        );
        check_times(
            0,
            3 * DAY_MS,
            &[
                &["00:00", "06:00", "12:00", "18:00"].repeat(3)[..],
                &hours[..1],
            ]
            .concat(),
        );
        check_times(
            MINUTE_MS,
            2 * MINUTE_MS,
            &[
                "00:01:00", "00:01:10", "00:01:20", "00:01:30", "00:01:40", "00:01:50", "00:02:00",
            ],
        );
        check_times(
            4 * DAY_MS,
            7 * DAY_MS + 1,
            &["00:00", "06:00", "12:00", "18:00"].repeat(4)[..13],
        );
        check_times(
            0,
            6 * DAY_MS,
            &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        );
        check_times(
            0,
            300 * DAY_MS,
            &[
                "day 0", "day 30", "day 60", "day 90", "day 120", "day 150", "day 180", "day 210",
                "day 240", "day 270", "day 300",
            ],
        );
    }
}
