//! What a reading makes happen, step by step.

use super::clock::is_placed;
use super::{Pipeline, Reading, Verdict};
use crate::batch::OpenRow;
use crate::clean::{judge_time, judge_value, scaled};
use crate::config::SensorConfig;
use crate::gate::{Cleaned, Item};
use crate::memory::{Memory, Parts};
use crate::output::{Emit, Output};
use crate::sensor::Last;
use crate::time::Now;
use crate::window::{Entry, Room, Windows};
use wire::{Clock, Content, Flags, Quality, Reasons, Row, SensorId, Summary};

impl<M: Memory> Pipeline<M> {
    /// A reading of a sensor that exists.
    pub(super) fn take(
        &mut self,
        now: Now,
        id: SensorId,
        reading: &Reading,
        out: &mut impl Emit,
    ) -> Verdict {
        let place = usize::from(id.0);
        let sensor = &mut self.memory.sensors[place];
        if reading
            .time
            .is_some_and(|time| sensor.recent.is_duplicate(time, reading.value))
        {
            sensor.counts.duplicates = sensor.counts.duplicates.saturating_add(1);
            self.counters.duplicates += 1;
            return Verdict::Duplicate;
        }
        self.mend_clock(now, place, reading, out);
        let (entry, flags) = self.judge(now, place, reading);
        self.hear(now, place, out);
        if entry.quality == Quality::Good {
            let sensor = &mut self.memory.sensors[place];
            sensor.good = entry.value;
            sensor.good_at = entry.time;
            sensor.is_good_placed = is_placed(flags.reasons());
            self.alarm(now, place, entry, out);
        }
        let item = Item {
            time: entry.time,
            arrival: now.wall,
            raw: reading.value,
            value: entry.value,
            flags,
        };
        self.clean(now, place, item, out);
        self.bring_timer_forward(place);
        if entry.quality == Quality::Good {
            self.mark_derived(now, place);
            self.mark_charts(now, place);
        }
        Verdict::Taken(flags)
    }

    /// Time, quality and reasons of a reading.
    fn judge(&mut self, now: Now, place: usize, reading: &Reading) -> (Entry, Flags) {
        let sensor = &mut self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        let (time, mut reasons) = judge_time(now, self.clock, config, reading.time);
        let value = scaled(config, reading.value);
        let (mut quality, why) =
            judge_value(config, self.plan.condition(config), reading.value, value);
        reasons |= why;
        if sensor.windows.is_late(time, config) {
            reasons |= Reasons::LATE;
            quality = quality.max(Quality::Uncertain);
        }
        let flags = Flags::new(quality, reasons);
        if is_placed(reasons) {
            sensor.placed_in = Some(self.unset.era);
            self.unset.extend(now.wall);
        }
        sensor.last = Last {
            time,
            value: reading.value,
            flags,
        };
        sensor.counts.readings = sensor.counts.readings.saturating_add(1);
        sensor.counts.bad = sensor
            .counts
            .bad
            .saturating_add(u32::from(quality == Quality::Bad));
        sensor.counts.late = sensor
            .counts
            .late
            .saturating_add(u32::from(reasons.contains(Reasons::LATE)));
        self.counters.count_reasons(reasons);
        (
            Entry {
                time,
                value,
                quality,
            },
            flags,
        )
    }

    /// Begins a sensor's windows anew if the gateway's clock was set back behind them, or if their times are by another clock than that
    /// of the reading: so all of a window can be moved, or nothing.
    fn mend_clock(&mut self, now: Now, place: usize, reading: &Reading, out: &mut impl Emit) {
        let sensor = &self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        let (_, reasons) = judge_time(now, self.clock, config, reading.time);
        let placed_in = match self.clock {
            Clock::Synced => None,
            _ if is_placed(reasons) => Some(self.unset.era),
            _ => sensor.placed_in,
        };
        let is_ahead = self.clock == Clock::Synced && sensor.windows.is_ahead(now, config);
        let is_moved = sensor.placed_in != placed_in;
        if is_moved {
            self.let_go(now, place, out);
        }
        if (is_moved || is_ahead) && self.memory.sensors[place].windows.has_begun() {
            self.begin_windows_anew(now, place, out);
            self.counters.clock_resets += 1;
        }
        self.memory.sensors[place].placed_in = placed_in;
    }

    fn begin_windows_anew(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        self.break_windows(now, place, out);
        let sensor = &mut self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        let mut room = Parts::<M>::room_of(
            &mut self.memory.panes,
            &mut self.memory.sketches,
            (place, sensor.sketches),
            self.each.panes,
            config,
        );
        let told = sensor.placed_in.map(|_| self.unset.set_to);
        sensor.windows.reset(&mut room, config, told);
    }

    pub(super) fn take_into_windows(
        &mut self,
        now: Now,
        place: usize,
        entry: Entry,
        out: &mut impl Emit,
    ) {
        if self.memory.sensors[place]
            .windows
            .is_stale(now, Some(entry.time))
        {
            self.close_windows(now, place, Windows::next_revised, out);
        }
        let sensor = &mut self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        sensor.windows.advance(now, entry.time, config);
        self.close_windows(now, place, Windows::next_closed, out);
        if self
            .plan
            .config(self.memory.sensors[place].rule)
            .session
            .is_some()
        {
            let crowded = |windows: &mut Windows, room: &mut Room<'_>, id, config: &_| {
                windows.next_crowded(room, entry, id, config)
            };
            self.close_windows(now, place, crowded, out);
        }
        let sensor = &mut self.memory.sensors[place];
        let config = self.plan.config(sensor.rule);
        let mut room = Parts::<M>::room_of(
            &mut self.memory.panes,
            &mut self.memory.sketches,
            (place, sensor.sketches),
            self.each.panes,
            config,
        );
        let is_kept = sensor.windows.push(&mut room, now, entry, config);
        self.counters.outside_windows += u64::from(!is_kept);
    }

    /// Tells the summaries that `next` finds, until it finds no more.
    pub(super) fn close_windows(
        &mut self,
        now: Now,
        place: usize,
        next: impl Fn(&mut Windows, &mut Room<'_>, SensorId, &SensorConfig) -> Option<Summary>,
        out: &mut impl Emit,
    ) {
        let id = SensorId(place as u16);
        loop {
            let sensor = &mut self.memory.sensors[place];
            let config = self.plan.config(sensor.rule);
            let mut room = Parts::<M>::room_of(
                &mut self.memory.panes,
                &mut self.memory.sketches,
                (place, sensor.sketches),
                self.each.panes,
                config,
            );
            let Some(summary) = next(&mut sensor.windows, &mut room, id, config) else {
                return;
            };
            self.push_summary(now, summary, out);
        }
    }

    /// Tells all windows that are open, because they end here.
    pub(super) fn break_windows(&mut self, now: Now, place: usize, out: &mut impl Emit) {
        self.close_windows(now, place, Windows::next_revised, out);
        self.close_windows(now, place, Windows::next_broken, out);
    }

    fn push_summary(&mut self, now: Now, summary: Summary, out: &mut impl Emit) {
        let clock = self.clock_of(&summary);
        let summary = Summary { clock, ..summary };
        self.counters.summaries += 1;
        self.counters.revisions += u64::from(summary.revision > 0);
        out.emit(Output::Summary {
            summary: &summary,
            name: self.name(summary.sensor),
            quantiles: &self.config_of(summary.sensor).quantiles,
        });
        let place = self
            .aggregates
            .take_place(now.instant, self.plan.batch.ms_max);
        self.memory.summaries[place] = summary;
        if self.aggregates.len >= self.batch_len_max(self.memory.summaries.len()) {
            self.seal_summaries(now, out);
        }
    }

    pub(super) fn push_row(
        &mut self,
        now: Now,
        sensor: SensorId,
        cleaned: Cleaned,
        out: &mut impl Emit,
    ) {
        let content = match (cleaned.content, self.plan.batch.keep_raw) {
            (Content::Refused(_), false) => Content::Nothing,
            (Content::Repaired { value, .. }, false) => Content::Filled(value),
            (content, _) => content,
        };
        let row = Row {
            time: cleaned.time,
            arrival: cleaned.arrival,
            content,
            flags: cleaned.flags,
            sensor,
        };
        let place = self
            .telemetry
            .take_place(now.instant, self.plan.batch.ms_max);
        self.memory.rows[place] = OpenRow {
            row,
            order: place as u32,
        };
        if self.telemetry.len >= self.batch_len_max(self.memory.rows.len()) {
            self.seal_rows(now, out);
        }
    }
}
