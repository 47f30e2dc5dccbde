//! A report: what a device of ours sends to the gateway, its number, its time, and a value for each signal.
//!
//! It has no frame: MQTT brings it whole, its topic names the device, and bytes are dear on a radio.

use core::error::Error;
use core::fmt;

use crate::bytes::{Cursor, Full, Malformed, Writer};
use crate::reading::Timestamp;

/// The version that this crate writes, the first byte of every report. No JSON text begins with it.
pub const REPORT_VERSION: u8 = 1;

/// Values of one report: as many as the gateway takes from one message.
pub const REPORT_VALUES_MAX: usize = 64;

/// One report, borrowed from its bytes, all of which have been checked.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Counts the device's reports, so that a receiver sees how many are missing. It begins anew with the device.
    pub sequence: u64,
    /// When the values were measured, by the device's clock; `None` if it has none that is set.
    pub time: Option<Timestamp>,
    len: usize,
    values: Cursor<'a>,
}

/// Why bytes are not a report, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportFault {
    /// What is wrong.
    pub malformed: Malformed,
    /// The first byte of the part that is wrong.
    pub offset: usize,
}

impl fmt::Display for ReportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.malformed, self.offset)
    }
}

impl Error for ReportFault {}

/// Writes a report of `values`, each with the name of its signal. A name may be empty where the topic names the
/// signal. Gives the bytes of `buffer` that were filled.
///
/// # Errors
/// [`Full`] if it doesn't fit, or has more than [`REPORT_VALUES_MAX`] values: send two.
pub fn write_report<'b>(
    sequence: u64,
    time: Option<Timestamp>,
    values: &[(&str, f64)],
    buffer: &'b mut [u8],
) -> Result<&'b [u8], Full> {
    if values.len() > REPORT_VALUES_MAX {
        return Err(Full);
    }
    let mut writer = Writer::new(buffer);
    writer.byte(REPORT_VERSION)?;
    writer.unsigned(sequence)?;
    match time {
        None => writer.byte(0)?,
        Some(time) => {
            writer.byte(1)?;
            writer.signed(time.0)?;
        }
    }
    writer.unsigned(values.len() as u64)?;
    for (signal, value) in values {
        writer.text(signal)?;
        writer.float(*value)?;
    }
    let len = writer.written().len();
    Ok(&buffer[..len])
}

impl<'a> Report<'a> {
    /// Reads a report.
    ///
    /// # Errors
    /// [`ReportFault`] if these are not the bytes of one.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ReportFault> {
        let mut cursor = Cursor::new(bytes);
        // A part that is wrong is the one that begins where the cursor stood before it.
        let mut offset = 0;
        let report = Self::read_parts(&mut cursor, |cursor| offset = bytes.len() - cursor.left());
        report.map_err(|malformed| ReportFault { malformed, offset })
    }

    /// Signals and values, in the order in which they were sent.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, f64)> + use<'a> {
        let mut cursor = self.values;
        // All were read once: none fails.
        (0..self.len).map_while(move |_| cursor.text().ok().zip(cursor.float().ok()))
    }

    fn read_parts(
        cursor: &mut Cursor<'a>,
        mut begin_part: impl FnMut(&Cursor<'a>),
    ) -> Result<Self, Malformed> {
        match cursor.byte()? {
            REPORT_VERSION => {}
            version => return Err(Malformed::Version(version)),
        }
        begin_part(cursor);
        let sequence = cursor.unsigned()?;
        begin_part(cursor);
        let time = match cursor.byte()? {
            0 => None,
            1 => Some(Timestamp(cursor.signed()?)),
            _ => return Err(Malformed::Part("mark of an optional time")),
        };
        begin_part(cursor);
        let len = cursor.small("number of values")?;
        if len > REPORT_VALUES_MAX {
            return Err(Malformed::Part("number of values above 64"));
        }
        let values = *cursor;
        for _ in 0..len {
            begin_part(cursor);
            cursor.text()?;
            begin_part(cursor);
            cursor.float()?;
        }
        begin_part(cursor);
        cursor.end()?;
        Ok(Self {
            sequence,
            time,
            len,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn check_refused(bytes: &[u8], malformed: Malformed, offset: usize) {
        let fault = Report::read(bytes).map(|_| ()).unwrap_err();
        assert_eq!(fault, ReportFault { malformed, offset }, "{bytes:x?}");
    }

    #[test]
    fn what_is_no_report_is_refused_where_it_fails() {
        check_refused(&[], Malformed::Short, 0);
        check_refused(b"{}", Malformed::Version(b'{'), 0);
        check_refused(&[1, 0x80], Malformed::Short, 1);
        check_refused(&[1, 0, 2], Malformed::Part("mark of an optional time"), 2);
        check_refused(
            &[1, 0, 0, 65],
            Malformed::Part("number of values above 64"),
            3,
        );
        check_refused(&[1, 0, 0, 1, 2, b'a'], Malformed::Short, 4);
        check_refused(
            &[1, 0, 0, 1, 1, 0xff],
            Malformed::Part("text that is not UTF-8"),
            4,
        );
        check_refused(&[1, 0, 0, 1, 1, b'a', 0], Malformed::Short, 6);
        check_refused(&[1, 0, 0, 0, 9], Malformed::Long, 4);
    }

    #[test]
    fn more_values_than_one_report_holds_are_not_written() {
        let mut buffer = [0; 1024];
        let values = [("t", 1.0); REPORT_VALUES_MAX + 1];
        assert_eq!(write_report(0, None, &values, &mut buffer), Err(Full));
        assert!(write_report(0, None, &values[1..], &mut buffer).is_ok());
    }

    fn values() -> impl Strategy<Value = Vec<(String, f64)>> {
        proptest::collection::vec((".{0,12}", any::<f64>()), 0..REPORT_VALUES_MAX)
    }

    proptest! {
        #[test]
        fn any_report_comes_back_and_no_part_of_it_is_one(sequence: u64, time: Option<i64>, values in values()) {
            let values: Vec<(&str, f64)> = values.iter().map(|(signal, value)| (signal.as_str(), *value)).collect();
            let mut buffer = [0; 8192];
            let bytes = write_report(sequence, time.map(Timestamp), &values, &mut buffer).unwrap();
            let report = Report::read(bytes).unwrap();
            prop_assert_eq!((report.sequence, report.time), (sequence, time.map(Timestamp)));
            let read: Vec<(&str, u64)> = report.values().map(|(signal, value)| (signal, value.to_bits())).collect();
            let sent: Vec<(&str, u64)> = values.iter().map(|(signal, value)| (*signal, value.to_bits())).collect();
            prop_assert_eq!(read, sent);
            for len in 0..bytes.len() {
                prop_assert!(Report::read(&bytes[..len]).is_err());
            }
        }

        #[test]
        fn a_report_is_what_postcard_makes_of_its_parts(sequence: u64, time: Option<i64>, value: f64) {
            let mut buffer = [0; 64];
            let ours = write_report(sequence, time.map(Timestamp), &[("t", value)], &mut buffer).unwrap();
            let mut theirs = [0; 64];
            let theirs = postcard::to_slice(&(REPORT_VERSION, sequence, time, &[("t", value)][..]), &mut theirs);
            prop_assert_eq!(ours, &*theirs.unwrap());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            match Report::read(&bytes) {
                Ok(report) => prop_assert!(report.values().count() <= REPORT_VALUES_MAX),
                Err(fault) => prop_assert!(fault.offset <= bytes.len()),
            }
        }
    }
}
