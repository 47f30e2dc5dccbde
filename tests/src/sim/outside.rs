//! The store and Kafka as the engine meets them: when they answer, and what.

use gateway::engine::Event;
use gateway::forward::Failure;
use gateway::outbox::{OutboxRow, Watermark};

use super::kafka::No;
use super::process::Job;
use super::site::Trouble;
use super::world::{Answer, Happening, World};

impl World {
    /// A job for the store; it works on one at a time.
    pub(super) fn ask_store(&mut self, job: Job) {
        let Some(process) = &mut self.process else {
            return;
        };
        process.jobs.push_back(job);
        if process.jobs.len() == 1 {
            self.begin_job();
        }
    }

    fn begin_job(&mut self) {
        let is_slow = self.now_ms < self.weather.disk_slow_until_ms;
        let ms = match (is_slow, self.chance.below(50)) {
            (true, _) => {
                self.marks.hit("disk-slow");
                self.chance.within(1_001, 9_000)
            }
            (false, 0) => self.chance.within(20, 300),
            (false, _) => self.chance.within(1, 12),
        };
        self.after(ms, Happening::Stored(self.life));
    }

    /// The store is done with its first job.
    pub(super) fn stored(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Some(job) = process.jobs.pop_front() else {
            return Ok(());
        };
        if !process.jobs.is_empty() {
            self.begin_job();
        }
        match job {
            Job::Load(..) if core::mem::take(&mut self.weather.disk_unreadable) => {
                self.marks.hit("disk-unreadable");
                self.end(Some("unreadable"));
            }
            Job::Load(lane, after, bytes_max) => {
                let rows = self.disk.load(lane, after, bytes_max);
                self.tell(Event::Loaded(rows))?;
            }
            Job::Commit(commit) if core::mem::take(&mut self.weather.disk_fails) => {
                if self.chance.one_in(2) {
                    self.marks.hit("disk-failed-kept");
                    self.disk.apply(&commit);
                } else {
                    self.marks.hit("disk-failed-lost");
                }
                self.end(Some("failed"));
            }
            Job::Commit(commit) if self.now_ms < self.weather.disk_full_until_ms => {
                self.marks.hit("disk-full");
                self.weather.has_refused = true;
                self.tell_store(Event::CommitRefused(commit))?;
            }
            Job::Commit(mut commit) => {
                self.disk.apply(&commit);
                self.note_version();
                self.marks
                    .add("checkpoint", u64::from(commit.checkpoint.is_some()));
                let was_refused = core::mem::take(&mut self.weather.has_refused);
                self.marks.add("disk-full-over", u64::from(was_refused));
                commit.clear();
                self.tell_store(Event::Committed(commit))?;
                self.end_if_settled();
            }
        }
        Ok(())
    }

    /// What the store says is heard to the end, when the process is asked to stop too.
    fn tell_store(&mut self, event: Event<'_>) -> Result<(), String> {
        let moment = self.moment();
        if let Some(process) = &mut self.process {
            process.tell(moment, event);
        }
        self.perform()
    }

    fn kafka_ms(&mut self) -> u64 {
        if self.now_ms < self.weather.kafka_slow_until_ms {
            self.marks.hit("kafka-slow");
            self.chance.within(2_001, 12_000)
        } else {
            self.chance.within(3, 200)
        }
    }

    pub(super) fn connect_kafka(&mut self) {
        let ms = self.kafka_ms();
        let answer = self.kafka_failure().unwrap_or(Answer::Session);
        self.after(ms, Happening::Answered(self.life, answer));
    }

    pub(super) fn send_kafka(&mut self, rows: Vec<OutboxRow>, watermark: Watermark) {
        let ms = self.kafka_ms();
        let answer = match self.kafka_failure() {
            Some(failed) => failed,
            None => self.begin_transfer(rows, watermark, ms),
        };
        if let Some(process) = &mut self.process {
            process.is_sending = true;
        }
        self.after(ms, Happening::Answered(self.life, answer));
    }

    fn begin_transfer(&mut self, rows: Vec<OutboxRow>, watermark: Watermark, ms: u64) -> Answer {
        let trouble = self.weather.next_transfer.take();
        let session = self.process.as_ref().map_or(0, |process| process.session);
        let in_time_ms = self.now_ms + ms;
        let (commits_at_ms, answer) = match trouble {
            Some(Trouble::Fenced) => {
                self.marks.hit("kafka-fenced");
                self.kafka.begin_session(self.now_ms);
                (None, Answer::Failed(Failure::Fenced))
            }
            Some(Trouble::LeaderChange) => {
                self.marks.hit("kafka-leader-changed");
                (None, Answer::Failed(Failure::Retry))
            }
            Some(Trouble::AnswerLost) => {
                self.marks.hit("kafka-answer-lost");
                (Some(in_time_ms), Answer::Failed(Failure::Retry))
            }
            Some(Trouble::Unknown) => {
                let late_ms = in_time_ms + self.chance.within(1, 4_000);
                (Some(late_ms), Answer::Failed(Failure::Retry))
            }
            _ => (Some(in_time_ms), Answer::Sent),
        };
        let sequences: Vec<_> = rows.iter().map(|row| row.sequence).collect();
        match self.kafka.transfer(session, rows, watermark, commits_at_ms) {
            Ok(()) => answer,
            Err(No::Fenced) => Answer::Failed(Failure::Fenced),
            Err(No::TooLarge(index)) => {
                self.marks.hit("kafka-too-large");
                Answer::TooLarge(sequences[index])
            }
        }
    }

    /// Kafka has answered.
    pub(super) fn answered(&mut self, answer: Answer) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        process.is_sending = false;
        match answer {
            Answer::Session => self.session_begins()?,
            Answer::Sent => {
                self.kafka.settle(self.now_ms);
                self.tell(Event::Sent)?;
            }
            Answer::TooLarge(sequence) => self.tell(Event::RowTooLarge { sequence })?,
            Answer::Failed(failure) => {
                self.tell(Event::UplinkFailed(failure))?;
                if failure == Failure::Fenced {
                    // Somebody looks after it.
                    self.kill();
                }
            }
        }
        Ok(())
    }

    fn session_begins(&mut self) -> Result<(), String> {
        self.weather.has_lied = false;
        let before = self.kafka.watermark;
        let (session, has_aborted) = self.kafka.begin_session(self.now_ms);
        let has_committed = before != self.kafka.watermark;
        self.marks
            .add("kafka-unknown-committed", u64::from(has_committed));
        self.marks
            .add("kafka-unknown-aborted", u64::from(has_aborted));
        let epoch = |world: &Self| {
            let process = world.process.as_ref();
            process.and_then(|process| process.engine.status().epoch)
        };
        let epoch_before = epoch(self);
        if let Some(process) = &mut self.process {
            process.session = session;
        }
        let watermark = self.kafka.watermark;
        self.tell(Event::Connected(watermark))?;
        self.marks.hit(match (epoch_before, epoch(self)) {
            (None, Some(1)) => "epoch-first",
            (before, after) if before != after => "epoch-next",
            _ => "position-read",
        });
        Ok(())
    }
}
