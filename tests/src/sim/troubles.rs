//! What goes wrong, when, and how it ends.

use gateway::forward::Failure;

use gateway::limits::STOP_MS_MAX;

use super::site::{BEGIN_MS, Trouble};
use super::store::Disk;
use super::world::{Answer, Happening, World};

/// Longest time from the end of the troubles until everything must be in order, ms.
const CALM_MS_MAX: u64 = 1_200_000;
/// From the last answer until windows, batches and silence are told, ms.
const SETTLE_MS: u64 = 30_000;
/// How many versions of the disk one that lies may fall back by.
const LIES_MAX: usize = 40;

/// The troubles that last.
#[derive(Debug, Default)]
pub(super) struct Weather {
    pub(super) disk_slow_until_ms: u64,
    pub(super) disk_full_until_ms: u64,
    /// The last commit was refused.
    pub(super) has_refused: bool,
    pub(super) disk_fails: bool,
    pub(super) disk_unreadable: bool,
    /// What is really on the disk: the versions since it began to lie, the oldest first.
    pub(super) lies: Option<Vec<Disk>>,
    /// It has lied, and nobody could know since: Kafka was not reached.
    pub(super) has_lied: bool,
    pub(super) kafka_away_until_ms: u64,
    pub(super) kafka_slow_until_ms: u64,
    pub(super) auth_revoked_until_ms: u64,
    /// What becomes of the next transfer.
    pub(super) next_transfer: Option<Trouble>,
    pub(super) id_expired: bool,
}

impl World {
    /// The begin: power on, sensors and clients come, and then the troubles.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        if self.site.boots_in_1970 {
            self.boot_in_1970();
        }
        let exact = self.site.clients.iter().filter(|client| client.qos() == 2);
        self.oracle.exact = exact.map(|client| client.name.clone()).collect();
        self.start()?;
        let panel = self.site.clients.len() - 1;
        self.after(1, Happening::Come(panel));
        for device in 0..self.site.sources.len() {
            let ms = self.chance.within(2_000, 2_500);
            self.after(ms, Happening::Come(device));
            self.after(3_000, Happening::Sense(device));
        }
        let ms = self.chance.pick(&[5, 500, 8_000]);
        self.after(ms, Happening::Trouble);
        self.after(self.site.trouble_ms, Happening::Calm);
        Ok(())
    }

    pub(super) fn trouble(&mut self) -> Result<(), String> {
        if self.now_ms >= self.site.trouble_ms {
            return Ok(());
        }
        let every_ms = self.site.trouble_every_ms;
        let ms = self.chance.within(1, 2 * every_ms);
        self.after(ms, Happening::Trouble);
        if self.site.troubles.is_empty() {
            return Ok(());
        }
        let trouble = self.chance.pick(&self.site.troubles);
        let until_ms = self.now_ms + self.chance.within(200, 15_000);
        match trouble {
            Trouble::PowerCut => self.cut_power(),
            Trouble::Kill => self.kill(),
            Trouble::Stop => {
                if let Some(process) = self.process.as_mut().filter(|it| !it.is_stopping) {
                    process.stop();
                    self.after(STOP_MS_MAX, Happening::StopLate(self.life));
                    self.perform()?;
                    self.end_if_settled();
                }
            }
            Trouble::DiskSlow => self.weather.disk_slow_until_ms = until_ms,
            Trouble::DiskFull => self.weather.disk_full_until_ms = until_ms,
            Trouble::DiskFailed => self.weather.disk_fails = true,
            Trouble::DiskUnreadable => self.weather.disk_unreadable = true,
            Trouble::DiskLies if self.weather.lies.is_none() => {
                self.weather.lies = Some(vec![self.disk.clone()]);
            }
            Trouble::DiskLies => self.cut_power(),
            Trouble::KafkaAway => self.weather.kafka_away_until_ms = until_ms,
            Trouble::KafkaSlow => self.weather.kafka_slow_until_ms = until_ms,
            Trouble::AuthRevoked => self.weather.auth_revoked_until_ms = until_ms,
            Trouble::Expired => self.weather.id_expired = true,
            Trouble::AnswerLost | Trouble::Unknown | Trouble::LeaderChange | Trouble::Fenced => {
                self.weather.next_transfer = Some(trouble);
            }
            Trouble::TooLarge => {
                let bytes = self.chance.pick(&[400, 700, 2_000, u64::MAX / 2]);
                self.kafka.record_bytes_max = bytes as usize;
            }
            Trouble::ClockJump => self.jump(),
            Trouble::ClientCut => self.cut_client(),
        }
        Ok(())
    }

    /// All troubles end.
    pub(super) fn calm(&mut self) -> Result<(), String> {
        let has_lied = self.weather.has_lied;
        self.weather = Weather {
            has_lied,
            ..Weather::default()
        };
        self.kafka.record_bytes_max = usize::MAX;
        if self.clock_error_ms != 0 {
            self.set_clock();
        }
        let is_stopped =
            |process: &super::process::Process| process.engine.status().uplink == "stopped";
        if self.process.as_ref().is_some_and(is_stopped) {
            self.kill();
        }
        self.after(1_000, Happening::Look);
        Ok(())
    }

    /// Once a second in the end: is everything where it belongs?
    pub(super) fn look(&mut self) {
        self.after(1_000, Happening::Look);
        let is_done = self.site.clients.iter().all(super::client::Client::is_done);
        let is_flushed = self.now_ms > self.site.trouble_ms + 5_000;
        if self.answered_ms.is_none() && is_done && is_flushed && self.oracle.is_answered() {
            self.answered_ms = Some(self.now_ms);
        }
        let is_settled = self
            .answered_ms
            .is_some_and(|answered_ms| self.now_ms > answered_ms + SETTLE_MS);
        if let Some(process) = &self.process
            && is_settled
        {
            let sealed = process.engine.status().sealed;
            let sent = self.kafka.watermark.map(|mark| mark.sequences);
            self.is_over = sent == Some(sealed) && !process.is_sending;
        }
    }

    /// Whether it takes too long.
    pub(super) fn is_late(&self) -> bool {
        self.now_ms > self.site.trouble_ms + CALM_MS_MAX
    }

    /// Fewer volts than it needs: memory is gone, and what was not synced may be.
    pub(super) fn cut_power(&mut self) {
        if let Some(process) = &self.process {
            self.marks.hit("power-cut");
            let is_young = self.now_ms < process.born_ms + 1_000;
            self.marks.add("power-cut-in-start", u64::from(is_young));
        }
        self.end(Some("power"));
        if let Some(versions) = self.weather.lies.take() {
            let version = self.chance.below(versions.len() as u64) as usize;
            if versions[version] != self.disk {
                self.marks.hit("disk-lied");
                self.oracle.forgive();
                self.weather.has_lied = true;
                self.disk = versions[version].clone();
            }
        }
        if self.site.boots_in_1970 {
            self.boot_in_1970();
        }
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.marks.add("kill", u64::from(self.process.is_some()));
        self.end(Some("kill"));
    }

    /// Ends this life. What was under way at the disk is there as a whole or not at all; so it is in Kafka.
    pub(super) fn end(&mut self, violently: Option<&str>) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        self.life += 1;
        self.note_counters(&process);
        if self.weather.has_lied {
            // By its next start the store has numbered new rows as the lost ones: nobody can tell them apart.
            self.oracle.forgive();
        }
        if let Some(super::process::Job::Commit(commit)) = process.jobs.pop_front()
            && violently.is_some()
        {
            if self.chance.one_in(2) {
                self.marks.hit("power-cut-in-commit-kept");
                self.disk.apply(&commit);
            } else {
                self.marks.hit("power-cut-in-commit-lost");
            }
        }
        if process.is_sending {
            self.marks.hit("power-cut-in-transfer");
            if self.chance.one_in(2) {
                self.kafka.abort(process.session);
            }
        }
        let links = core::mem::take(&mut self.links);
        for (number, link) in links {
            let ms = self.chance.within(1, 4_000);
            self.after(ms, Happening::Drop(link.client, number));
        }
        let ms = self.chance.within(50, 8_000);
        self.after(ms, Happening::Start);
    }

    /// What only the engine can count.
    pub(super) fn note_counters(&mut self, process: &super::process::Process) {
        let status = process.engine.status();
        self.marks
            .add("redelivery-known", status.counters.redeliveries);
    }

    pub(super) fn start(&mut self) -> Result<(), String> {
        if self.process.is_some() {
            return Ok(());
        }
        if self.life > 0 && self.chance.one_in(6) {
            self.marks.hit("plan-changed");
            self.site.plan.batch.ms_max = self.chance.pick(&[500, 3_000, 8_000]) as u32;
        }
        let wall_ms = self.wall_ms();
        let process = super::process::Process::start(
            &self.site,
            &mut self.disk,
            wall_ms,
            self.now_ms,
            &mut self.marks,
        )?;
        self.process = Some(process);
        self.perform()
    }

    pub(super) fn end_if_settled(&mut self) {
        let is_settled =
            |process: &super::process::Process| process.is_stopping && process.engine.is_settled();
        if self.process.as_ref().is_some_and(is_settled) {
            self.marks.hit("stop");
            self.end(None);
        }
    }

    fn boot_in_1970(&mut self) {
        self.marks.hit("clock-1970");
        self.oracle.jumped = true;
        self.clock_error_ms = -(BEGIN_MS + self.now_ms as i64);
        let ms = self.chance.within(500, 30_000);
        self.after(ms, Happening::ClockSet);
    }

    pub(super) fn set_clock(&mut self) {
        let was_1970 = self.wall_ms() < BEGIN_MS / 2;
        self.marks.add("clock-set", u64::from(was_1970));
        self.clock_error_ms = 0;
    }

    fn jump(&mut self) {
        const MINUTE_MS: i64 = 60_000;
        let size_ms = self.chance.pick(&[
            200,
            10 * MINUTE_MS,
            60 * MINUTE_MS,
            3 * 365 * 24 * 60 * MINUTE_MS,
        ]);
        self.oracle.jumped = true;
        self.oracle.wound = true;
        if self.chance.one_in(2) {
            self.marks.hit("clock-forward");
            self.clock_error_ms += size_ms;
        } else {
            self.marks.hit("clock-backward");
            self.clock_error_ms -= size_ms;
        }
        let ms = self.chance.within(1_000, 20_000);
        self.after(ms, Happening::ClockSet);
    }

    fn cut_client(&mut self) {
        let numbers: Vec<u32> = self.links.keys().copied().collect();
        if numbers.is_empty() {
            return;
        }
        let number = self.chance.pick(&numbers);
        let now_ms = self.now_ms;
        let cut_ms = now_ms + self.chance.below(60);
        if let Some(link) = self.links.get_mut(&number)
            && link.cut_ms.is_none()
        {
            link.cut_ms = Some(cut_ms);
            let client = link.client;
            self.marks.hit("client-cut");
            let ms = self.chance.below(3_000);
            self.after(ms, Happening::Drop(client, number));
            let ms = self.chance.below(10_000);
            self.after(ms, Happening::Gone(number));
        }
    }

    /// How Kafka fails now, if it does.
    pub(super) fn kafka_failure(&mut self) -> Option<Answer> {
        let now_ms = self.now_ms;
        let weather = &mut self.weather;
        if now_ms < weather.kafka_away_until_ms {
            self.marks.hit("kafka-away");
            Some(Answer::Failed(Failure::Retry))
        } else if now_ms < weather.auth_revoked_until_ms {
            self.marks.hit("kafka-auth-revoked");
            Some(Answer::Failed(Failure::Refused))
        } else if core::mem::take(&mut weather.id_expired) {
            self.marks.hit("kafka-id-expired");
            Some(Answer::Failed(Failure::Fatal))
        } else {
            None
        }
    }

    /// The disk as it is now is one to which one that lies may fall back.
    pub(super) fn note_version(&mut self) {
        if let Some(versions) = &mut self.weather.lies
            && versions.len() < LIES_MAX
        {
            versions.push(self.disk.clone());
        }
    }
}
