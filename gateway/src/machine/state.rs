//! The machine as bytes, and back.

use pipeline::{Instant, Pipeline};
use wire::Clock;

use super::{Boxed, Machine, Rows, Sizes, StateError, parts};
use crate::deliveries::Deliveries;
use crate::eras::Eras;
use crate::outbox::{LANES, Sequence};

/// First byte of a saved state.
pub(super) const STATE_VERSION: u8 = 1;
/// Bytes of a saved state before the deliveries: version, next sequence, sealed, instant, offset.
const STATE_HEADER_BYTES: usize = 1 + 8 + 8 * LANES + 8 + 8;

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

impl Machine {
    /// The machine that [`save`](Self::save) wrote. It gets as much memory as it had in use, if that is more
    /// than the sizes give: a config that asks for less must not make a box forget what it has.
    ///
    /// # Errors
    /// [`StateError`] if the bytes are no state.
    pub fn restore(bytes: &[u8], sizes: &Sizes) -> Result<Self, StateError> {
        let (header, rest) = bytes
            .split_at_checked(STATE_HEADER_BYTES)
            .ok_or(StateError::Header)?;
        if header[0] != STATE_VERSION {
            return Err(StateError::Version(header[0]));
        }
        let mut words = header[1..]
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word));
        let mut word = || words.next().unwrap_or_default();
        let rows = Rows {
            next: Sequence(word()),
            sealed: [(); LANES].map(|()| Sequence(word())),
        };
        let (instant, offset_ms) = (Instant(word()), word().cast_signed());
        let (clock, rest) = clock_of(rest).ok_or(StateError::Header)?;
        let (eras, rest) = Eras::restore(rest).ok_or(StateError::Header)?;
        let (deliveries, rest) = Deliveries::restore(rest).ok_or(StateError::Header)?;
        let sizes = sizes.covering(rest)?;
        let pipeline = restored(&sizes, rest)?;
        let gateway = pipeline.plan().gateway.as_str().to_owned();
        Ok(Self {
            gateway,
            sizes,
            pipeline,
            deliveries,
            rows,
            instant,
            offset_ms,
            clock,
            eras,
        })
    }

    /// Writes the state, in pieces.
    pub fn save(&self, sink: &mut impl FnMut(&[u8])) {
        sink(&[STATE_VERSION]);
        sink(&self.rows.next.0.to_le_bytes());
        for sequence in self.rows.sealed {
            sink(&sequence.0.to_le_bytes());
        }
        sink(&self.instant.0.to_le_bytes());
        sink(&self.offset_ms.to_le_bytes());
        sink(&[u8::from(self.clock == Clock::Unsynced)]);
        self.eras.save(sink);
        self.deliveries.save(sink);
        self.pipeline.save(sink);
    }

    /// Digest of the whole state: equal states have equal ones, on every machine.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = FNV_BASIS;
        self.save(&mut |part| {
            for byte in part {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
            }
        });
        digest
    }
}

/// Whether the clock was set, and the bytes behind that.
fn clock_of(bytes: &[u8]) -> Option<(Clock, &[u8])> {
    let (byte, rest) = bytes.split_first()?;
    match byte {
        0 => Some((Clock::Synced, rest)),
        1 => Some((Clock::Unsynced, rest)),
        _ => None,
    }
}

/// By itself, because a pipeline takes a good part of a thread's stack before it is boxed.
#[inline(never)]
fn restored(sizes: &Sizes, bytes: &[u8]) -> Result<Box<Pipeline<Boxed>>, StateError> {
    Pipeline::restore(parts(sizes), bytes)
        .map(Box::new)
        .map_err(StateError::Pipeline)
}
