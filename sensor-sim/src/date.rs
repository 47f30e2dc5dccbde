//! Times as people write them: date and time of day, UTC.

use core::fmt;

/// A moment, ms since the Unix epoch, that is written `2026-01-31T08:15:30`, with `.250` if asked for ms (`{:.3}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(86_400_000);
        let ms = self.0.rem_euclid(86_400_000);
        // Years begin in March here, so that the leap day is the last: 400 of them have 146 097 days.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day = shifted.rem_euclid(146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (month, day, year) = (
            month,
            day - (153 * month + 2) / 5 + 1,
            year + era * 400 + i64::from(month >= 10),
        );
        let month = if month < 10 { month + 3 } else { month - 9 };
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if f.precision().is_some() {
            write!(f, ".{:03}", ms % 1000)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_dates_and_read_again() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000"),
            (951_782_401_250, "2000-02-29T00:00:01.250"),
            (1_583_748_873_000, "2020-03-09T10:14:33.000"),
            (-1, "1969-12-31T23:59:59.999"),
        ] {
            assert_eq!(format!("{:.3}", Date(time)), text);
            assert_eq!(Date(time).to_string(), text[..19]);
            assert_eq!(crate::recording::read_time(text), Some(time));
        }
    }
}
