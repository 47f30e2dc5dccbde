//! A gap: a range of sequences that will never come, how many readings were in it, and why.

use crate::bytes::{Full, Malformed};
use crate::frame::{Clock, Frame, Kind};
use crate::reading::Timestamp;
use serde::{Deserialize, Serialize};

/// Which of the gateway's ways to Kafka the sequences belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Batches of readings.
    Telemetry = 1,
    /// Batches of summaries.
    Aggregates = 2,
    /// Alerts.
    Alerts = 3,
}

impl Lane {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Aggregates => "aggregates",
            Self::Alerts => "alerts",
        }
    }
}

/// Why they will never come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GapReason {
    /// The disk was full: only the summaries of these readings are kept.
    Thinned = 0,
    /// The disk was full: nothing of them is kept.
    Dropped = 1,
    /// The store lost them.
    Corrupt = 2,
    /// Kafka refused the record for good.
    Refused = 3,
    /// A person deleted them.
    Purged = 4,
}

impl GapReason {
    /// What it is called in messages and exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thinned => "thinned",
            Self::Dropped => "dropped",
            Self::Corrupt => "corrupt",
            Self::Refused => "refused",
            Self::Purged => "purged",
        }
    }
}

/// One gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Whose sequences.
    pub lane: Lane,
    /// The first sequence of the range.
    pub from: u64,
    /// The last sequence of the range, which is in it.
    pub to: u64,
    /// How many readings (of lane aggregates: summaries; of lane alerts: alerts) were in the range.
    pub count: u64,
    /// Why.
    pub reason: GapReason,
    /// When it was decided, by the gateway's wall clock.
    pub at: Timestamp,
}

impl Gap {
    /// Writes the gap; gives the bytes of `buffer` that were filled.
    ///
    /// # Errors
    /// [`Full`] if it doesn't fit.
    pub fn write<'b>(&self, gateway: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], Full> {
        Frame {
            kind: Kind::Gap,
            gateway,
            at: self.at,
            clock: Clock::Synced,
        }
        .write(buffer, |writer| {
            writer.put(&[self.lane as u8, self.reason as u8])?;
            [self.from, self.to, self.count]
                .into_iter()
                .try_for_each(|number| writer.unsigned(number))
        })
    }

    /// Reads a gap and the id of its gateway.
    ///
    /// # Errors
    /// [`Malformed`] if these are not the bytes of one.
    pub fn read(bytes: &[u8]) -> Result<(&str, Self), Malformed> {
        let (frame, mut body) = Frame::open_as(Kind::Gap, bytes)?;
        let lane = match body.byte()? {
            1 => Lane::Telemetry,
            2 => Lane::Aggregates,
            3 => Lane::Alerts,
            _ => return Err(Malformed::Part("lane")),
        };
        let reason = match body.byte()? {
            0 => GapReason::Thinned,
            1 => GapReason::Dropped,
            2 => GapReason::Corrupt,
            3 => GapReason::Refused,
            4 => GapReason::Purged,
            _ => return Err(Malformed::Part("reason of a gap")),
        };
        let (from, to, count) = (body.unsigned()?, body.unsigned()?, body.unsigned()?);
        body.end()?;
        Ok((
            frame.gateway,
            Self {
                lane,
                from,
                to,
                count,
                reason,
                at: frame.at,
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LANES: [Lane; 3] = [Lane::Telemetry, Lane::Aggregates, Lane::Alerts];
    const REASONS: [GapReason; 5] = [
        GapReason::Thinned,
        GapReason::Dropped,
        GapReason::Corrupt,
        GapReason::Refused,
        GapReason::Purged,
    ];

    proptest! {
        #[test]
        fn any_gap_comes_back(lane in 0_usize..3, reason in 0_usize..5, numbers: (u64, u64, u64), at: i64) {
            let (from, to, count) = numbers;
            let gap = Gap { lane: LANES[lane], from, to, count, reason: REASONS[reason], at: Timestamp(at) };
            let mut buffer = [0; 64];
            prop_assert_eq!(Gap::read(gap.write("box", &mut buffer).unwrap()), Ok(("box", gap)));
        }
    }
}
