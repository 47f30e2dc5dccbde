//! When the wall clock was not set, and by how much its times of then are moved once it is.
//!
//! An *era* is one life of the process, from its start to the moment at which the clock was set, or to its end. In it the wall clock goes
//! on from where the journal ends, if what the box says is behind that. So the times of two eras behind each other are never the same,
//! and a row's arrival says of which era it is.

use heapless::Vec;
use wire::Timestamp;

use crate::limits::CLOCK_ERAS_MAX;
use crate::outbox::Sequence;

/// Bytes of an era in a saved state.
const ERA_BYTES: usize = 5 * 8 + 1;

/// The eras whose rows may wait to be forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eras(Vec<Era, CLOCK_ERAS_MAX>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Era {
    /// The first sequence that was sealed in it, or behind it.
    first: Sequence,
    /// The first one behind it.
    end: Sequence,
    /// The wall clock at its start, behind all that was read before.
    start: Timestamp,
    /// The same at the last entry in it. What is later was read by a clock that was set, or in another era.
    until: Timestamp,
    /// By how much the clock was moved when it was set, ms; none: nobody knows.
    shift_ms: Option<i64>,
}

impl Eras {
    /// The process starts with a clock that is not set; `next` is the next sequence.
    pub fn begin(&mut self, next: Sequence, start: Timestamp) {
        // Of those which nobody can move any more the last one is kept: something of it may still wait in a gate.
        let last = self.0.last().copied();
        self.0.retain(|era| era.shift_ms.is_some());
        if let Some(last) = last.filter(|era| era.shift_ms.is_none()) {
            self.push(last);
        }
        self.push(Era {
            first: next,
            end: Sequence(u64::MAX),
            start,
            until: Timestamp(i64::MAX),
            shift_ms: None,
        });
    }

    /// The era is over, whose last entry was at `until` by its clock: that was set, and moved by `shift_ms`, or the process ended.
    pub fn end(&mut self, next: Sequence, until: Timestamp, shift_ms: Option<i64>) {
        if let Some(era) = self.0.last_mut().filter(|era| era.end.0 == u64::MAX) {
            era.end = next;
            era.until = until;
            era.shift_ms = shift_ms;
        }
    }

    /// By how much a time of a row is moved that the clock gave while it was not set.
    #[must_use]
    pub fn shift_ms(&self, sequence: Sequence, time: Timestamp) -> Option<i64> {
        self.shift_of_span_ms(sequence, time, time)
    }

    /// The same of a span of which something is such a time; none as well if it could be of more than one era.
    #[must_use]
    pub fn shift_of_span_ms(
        &self,
        sequence: Sequence,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<i64> {
        let is_its = |era: &&Era| era.first <= sequence && era.start <= to && from <= era.until;
        let mut its = self.0.iter().filter(is_its);
        let shift_ms = its.next()?.shift_ms;
        shift_ms.filter(|_| its.next().is_none())
    }

    /// By how much the time at which a row was sealed is moved; none if the clock was set then, or nobody knows.
    #[must_use]
    pub fn shift_of_seal_ms(&self, sequence: Sequence) -> Option<i64> {
        self.era_of_seal(sequence)?.shift_ms
    }

    /// Whether the row was sealed while the clock was not set.
    #[must_use]
    pub fn is_sealed_in(&self, sequence: Sequence) -> bool {
        self.era_of_seal(sequence).is_some()
    }

    /// Writes the state, in pieces.
    pub fn save(&self, sink: &mut impl FnMut(&[u8])) {
        sink(&[self.0.len() as u8]);
        for era in &self.0 {
            sink(&era.first.0.to_le_bytes());
            sink(&era.end.0.to_le_bytes());
            sink(&era.start.0.to_le_bytes());
            sink(&era.until.0.to_le_bytes());
            sink(&era.shift_ms.unwrap_or_default().to_le_bytes());
            sink(&[era.shift_ms.is_some().into()]);
        }
    }

    /// What was saved, and the bytes behind it.
    #[must_use]
    pub fn restore(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (len, rest) = bytes.split_first()?;
        let (saved, rest) = rest.split_at_checked(usize::from(*len) * ERA_BYTES)?;
        let mut eras = Self::default();
        for saved in saved.as_chunks::<ERA_BYTES>().0 {
            let (words, [is_moved]) = saved.split_last_chunk::<1>()?;
            let [first, end, start, until, shift_ms] = words.as_chunks::<8>().0 else {
                return None;
            };
            let era = Era {
                first: Sequence(u64::from_le_bytes(*first)),
                end: Sequence(u64::from_le_bytes(*end)),
                start: Timestamp(i64::from_le_bytes(*start)),
                until: Timestamp(i64::from_le_bytes(*until)),
                shift_ms: (*is_moved == 1).then_some(i64::from_le_bytes(*shift_ms)),
            };
            eras.0.push(era).ok()?;
        }
        Some((eras, rest))
    }

    fn era_of_seal(&self, sequence: Sequence) -> Option<&Era> {
        self.0
            .iter()
            .find(|era| (era.first..era.end).contains(&sequence))
    }

    /// The oldest makes room: what of it is not in Kafka by then stays as it is.
    fn push(&mut self, era: Era) {
        if self.0.is_full() {
            self.0.remove(0);
        }
        let pushed = self.0.push(era);
        debug_assert!(pushed.is_ok(), "there is room: the oldest was removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn shifts(eras: &Eras, rows: [(u64, i64); 4]) -> [Option<i64>; 4] {
        rows.map(|(sequence, time)| eras.shift_ms(Sequence(sequence), Timestamp(time)))
    }

    #[test]
    fn what_was_read_before_the_clock_was_set_is_moved_with_it_whenever_it_is_sealed() {
        let mut eras = Eras::default();
        eras.begin(Sequence(5), Timestamp(1_000));
        let rows = [(4, 2_000), (5, 2_000), (9, 2_000), (12, 3_000)];
        assert_eq!(shifts(&eras, rows), [None; 4], "nobody knows yet");
        eras.end(Sequence(10), Timestamp(3_000), Some(HOUR));
        let moved = [None, Some(HOUR), Some(HOUR), Some(HOUR)];
        assert_eq!(shifts(&eras, rows), moved);
        let seals = [4, 5, 9, 10].map(|it| eras.shift_of_seal_ms(Sequence(it)));
        assert_eq!(seals, [None, Some(HOUR), Some(HOUR), None]);
    }

    #[test]
    fn a_life_that_ended_before_the_clock_was_set_is_never_moved() {
        let mut eras = Eras::default();
        eras.begin(Sequence(1), Timestamp(1_000));
        eras.end(Sequence(3), Timestamp(5_000), None);
        eras.begin(Sequence(3), Timestamp(5_000));
        eras.end(Sequence(8), Timestamp(9_000), Some(HOUR));
        // The third waited in a gate while the process was started anew, at the very time at which it had ended.
        let rows = [(1, 1_500), (2, 4_000), (3, 5_000), (7, 5_001)];
        assert_eq!(shifts(&eras, rows), [None, None, None, Some(HOUR)]);
        assert!(eras.is_sealed_in(Sequence(2)) && !eras.is_sealed_in(Sequence(8)));
    }

    /// The entry that tells of a start is written with the first reading.
    #[test]
    fn the_first_reading_of_an_era_is_of_its_very_start() {
        let mut eras = Eras::default();
        eras.begin(Sequence(1), Timestamp(1_000));
        eras.end(Sequence(3), Timestamp(5_000), None);
        eras.begin(Sequence(3), Timestamp(5_800));
        eras.end(Sequence(8), Timestamp(9_000), Some(HOUR));
        let rows = [(2, 1_000), (3, 5_000), (3, 5_800), (7, 9_000)];
        assert_eq!(shifts(&eras, rows), [None, None, Some(HOUR), Some(HOUR)]);
    }

    #[test]
    fn many_starts_without_a_clock_forget_none_that_was_set() {
        let mut eras = Eras::default();
        eras.begin(Sequence(1), Timestamp(0));
        eras.end(Sequence(2), Timestamp(500), Some(HOUR));
        for life in 2..500 {
            eras.begin(Sequence(life), Timestamp(life as i64 * 1_000));
            eras.end(
                Sequence(life + 1),
                Timestamp(life as i64 * 1_000 + 900),
                None,
            );
        }
        assert_eq!(eras.shift_of_seal_ms(Sequence(1)), Some(HOUR));
        assert_eq!(eras.shift_of_seal_ms(Sequence(400)), None);
    }

    /// Times of a clock that was set once were moved again with an era long before: by half a century where that began in 1970.
    #[test]
    fn what_was_read_after_the_clock_was_set_is_not_of_the_era_before() {
        let mut eras = Eras::default();
        eras.begin(Sequence(1), Timestamp(0));
        eras.end(Sequence(3), Timestamp(9_000), Some(HOUR));
        for life in [4, 5] {
            let start = HOUR + 60_000 * life;
            eras.begin(Sequence(life as u64), Timestamp(start));
            eras.end(Sequence(life as u64 + 1), Timestamp(start + 30_000), None);
        }
        let set = HOUR + 10_000;
        let rows = [(2, 9_000), (4, 9_001), (4, set), (4, HOUR + 250_000)];
        assert_eq!(shifts(&eras, rows), [Some(HOUR), None, None, None]);
    }

    #[test]
    fn a_span_is_moved_if_it_can_be_of_one_era_only() {
        let mut eras = Eras::default();
        eras.begin(Sequence(1), Timestamp(0));
        eras.end(Sequence(3), Timestamp(9_000), Some(HOUR));
        eras.begin(Sequence(3), Timestamp(14_000));
        eras.end(Sequence(5), Timestamp(20_000), Some(2 * HOUR));
        let shift = |from, to| eras.shift_of_span_ms(Sequence(4), Timestamp(from), Timestamp(to));
        let spans = [(5_000, 9_999), (5_000, 14_999), (10_000, 14_999)];
        let expected = [Some(HOUR), None, Some(2 * HOUR)];
        assert_eq!(spans.map(|(from, to)| shift(from, to)), expected);
    }

    #[test]
    fn what_is_saved_comes_back() {
        let mut eras = Eras::default();
        for life in 0..100 {
            eras.begin(Sequence(life), Timestamp(-1_000));
            eras.end(
                Sequence(life + 1),
                Timestamp(-500),
                (life % 3 > 0).then_some(HOUR),
            );
        }
        let mut bytes = Vec::<u8, 4096>::new();
        eras.save(&mut |part| bytes.extend_from_slice(part).expect("room"));
        bytes.extend_from_slice(b"rest").expect("room");
        assert_eq!(Eras::restore(&bytes), Some((eras, b"rest".as_slice())));
        assert_eq!(Eras::restore(&bytes[..40]), None);
    }
}
