//! Reports of our own devices: see `FORMAT.md` of the `wire` crate.

use wire::Report;

use super::{Name, PayloadError, Readings};
use crate::mapping::Mapped;

/// Reads a report into `readings`. Its sequence is for whoever looks for gaps: readings are told apart by their times.
pub(super) fn parse<'p>(
    payload: &'p [u8],
    mapped: &Mapped<'_, '_>,
    readings: &mut Readings<'p>,
) -> Result<(), PayloadError> {
    let report = Report::read(payload)
        .map_err(|fault| PayloadError::new(fault.malformed.to_string(), fault.offset))?;
    for (signal, value) in report.values() {
        let name = match mapped.signal {
            None if signal.is_empty() => {
                let reason = "a value has no signal's name, and the topic names none";
                return Err(PayloadError::new(reason, 0));
            }
            None => Name::Plain(signal),
            Some(known) if signal.is_empty() || signal == known => Name::Topic,
            Some(known) => {
                let reason = format!("the topic names the signal {known}, the report another");
                return Err(PayloadError::new(reason, 0));
            }
        };
        readings
            .push(name, report.time, value)
            .map_err(|reason| PayloadError::new(reason, 0))?;
    }
    if readings.items.is_empty() {
        return Err(PayloadError::new("the report has no values", 0));
    }
    Ok(())
}

const _: () = assert!(wire::REPORT_VALUES_MAX <= crate::limits::READINGS_PER_MESSAGE_MAX);
