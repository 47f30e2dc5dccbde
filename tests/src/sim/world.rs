//! The world: virtual time, a queue of what happens next, and everything that the gateway is connected to.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use gateway::broker::Rights;
use gateway::clock::Moment;
use gateway::engine::Event;
use gateway::forward::Failure;
use gateway::outbox::Sequence;

use super::chance::Chance;
use super::client::Message;
use super::digest::Digest;
use super::kafka::Kafka;
use super::marks::Marks;
use super::network::Link;
use super::oracle::Oracle;
use super::process::{Did, Process};
use super::site::{BEGIN_MS, Site};
use super::source::Composed;
use super::store::Disk;
use super::troubles::Weather;

/// What happens.
#[derive(Debug)]
pub(super) enum Happening {
    /// A device has something to send.
    Sense(usize),
    /// A client comes.
    Come(usize),
    /// Bytes reach the gateway.
    Reach(u32, Vec<u8>),
    /// Bytes reach a client.
    Arrive(u32, Vec<u8>),
    /// A client is let in.
    Admit(u32),
    /// The gateway has closed, and its client hears of it.
    HangUp(u32),
    /// The gateway hears that a connection is gone.
    Gone(u32),
    /// A client hears that its connection is gone.
    Drop(usize, u32),
    /// The store is done with its first job; of this life.
    Stored(u32),
    /// Kafka has answered; in this life.
    Answered(u32, Answer),
    /// A process starts.
    Start,
    /// The process of this life was asked to stop, and has not yet.
    StopLate(u32),
    /// Something goes wrong.
    Trouble,
    /// The clock is set.
    ClockSet,
    /// The troubles end.
    Calm,
    /// Is all as it should be in the end?
    Look,
}

/// What Kafka answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// To a connect.
    Session,
    /// To a transfer.
    Sent,
    /// To either.
    Failed(Failure),
    /// To a transfer.
    TooLarge(Sequence),
}

struct Entry {
    at_ms: u64,
    number: u64,
    happening: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

/// Everything there is.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) chance: Chance,
    pub(super) now_ms: u64,
    pub(super) marks: Marks,
    pub(super) oracle: Oracle,
    pub(super) digest: Digest,
    pub(super) disk: Disk,
    pub(super) kafka: Kafka,
    pub(super) process: Option<Process>,
    pub(super) life: u32,
    /// By their generation, which no two have.
    pub(super) links: BTreeMap<u32, Link>,
    pub(super) clock_error_ms: i64,
    pub(super) weather: Weather,
    /// When the last message was answered, if no more comes.
    pub(super) answered_ms: Option<u64>,
    pub(super) is_over: bool,
    /// Everything that happens is printed.
    pub(super) is_told: bool,
    pub(super) held: BTreeSet<u32>,
    pub(super) generation: u32,
    queue: BinaryHeap<Reverse<Entry>>,
    number: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, 1);
        let site = Site::of(seed, &mut chance);
        Self {
            site,
            chance,
            now_ms: 0,
            marks: Marks::default(),
            oracle: Oracle::default(),
            digest: Digest::default(),
            disk: Disk::default(),
            kafka: Kafka::default(),
            process: None,
            life: 0,
            links: BTreeMap::new(),
            clock_error_ms: 0,
            weather: Weather::default(),
            answered_ms: None,
            is_over: false,
            is_told: false,
            held: BTreeSet::new(),
            generation: 0,
            queue: BinaryHeap::new(),
            number: 0,
        }
    }

    pub(super) fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now_ms + ms, happening);
    }

    pub(super) fn at(&mut self, at_ms: u64, happening: Happening) {
        self.number += 1;
        self.queue.push(Reverse(Entry {
            at_ms,
            number: self.number,
            happening,
        }));
    }

    /// One thing happens.
    pub(super) fn step(&mut self) -> Result<(), String> {
        let due_ms = self.process.as_ref().and_then(Process::due_ms);
        let next_ms = self.queue.peek().map(|Reverse(entry)| entry.at_ms);
        match (due_ms, next_ms) {
            (Some(due_ms), next_ms) if next_ms.is_none_or(|next_ms| due_ms <= next_ms) => {
                self.now_ms = self.now_ms.max(due_ms);
                self.tell(Event::Timeout)?;
            }
            _ => {
                let Some(Reverse(entry)) = self.queue.pop() else {
                    return Err("nothing happens any more".to_owned());
                };
                self.now_ms = self.now_ms.max(entry.at_ms);
                if self.is_told {
                    let text = format!("{:?}", entry.happening);
                    eprintln!("{:>8} {:.300}", self.now_ms, text);
                }
                self.happen(entry.happening)?;
            }
        }
        self.resume_held()
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Sense(device) => self.sense(device),
            Happening::Come(client) => self.come(client)?,
            Happening::Reach(link, bytes) => self.reach(link, &bytes)?,
            Happening::Arrive(link, bytes) => self.arrive(link, &bytes)?,
            Happening::Admit(link) => {
                if let Some(connection) = self.links.get(&link).map(|link| link.id) {
                    let rights = Ok(Rights::all("sim"));
                    self.tell(Event::Authenticated { connection, rights })?;
                }
            }
            Happening::HangUp(link) => self.hang_up(link)?,
            Happening::Gone(link) => {
                if let Some(link) = self.links.remove(&link) {
                    self.tell(Event::Closed {
                        connection: link.id,
                    })?;
                }
            }
            Happening::Drop(client, link) => self.drop_client(client, link),
            Happening::Stored(life) => {
                if life == self.life {
                    self.stored()?;
                }
            }
            Happening::Answered(life, answer) => {
                if life == self.life {
                    self.answered(answer)?;
                }
            }
            Happening::Start => self.start()?,
            Happening::StopLate(life) => {
                if life == self.life {
                    self.marks.hit("stop-unsettled");
                    self.end(Some("late"));
                }
            }
            Happening::Trouble => self.trouble()?,
            Happening::ClockSet => self.set_clock(),
            Happening::Calm => self.calm()?,
            Happening::Look => self.look(),
        }
        Ok(())
    }

    pub(super) fn moment(&self) -> Moment {
        let born_ms = self.process.as_ref().map_or(0, |process| process.born_ms);
        Moment {
            monotonic_ms: self.now_ms - born_ms,
            wall_ms: self.wall_ms(),
            is_vouched: None,
        }
    }

    pub(super) fn wall_ms(&self) -> i64 {
        BEGIN_MS + self.now_ms as i64 + self.clock_error_ms
    }

    pub(super) fn tell(&mut self, event: Event<'_>) -> Result<(), String> {
        let moment = self.moment();
        if let Some(process) = self.process.as_mut().filter(|it| !it.is_stopping) {
            process.tell(moment, event);
        }
        self.perform()
    }

    /// Does what the engine wants done.
    pub(super) fn perform(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        for did in process.done() {
            if self.is_told {
                let text = format!("{did:?}");
                eprintln!("{:>8}    does {:.300}", self.now_ms, text);
            }
            match did {
                Did::Transmit(to, bytes) => self.transmit(to, bytes),
                Did::Close(connection) => {
                    if let Some(link) = self.links.get(&connection.generation) {
                        let at_ms = link.down_ms.max(self.now_ms);
                        self.at(at_ms, Happening::HangUp(connection.generation));
                    }
                }
                Did::Authenticate(connection) => {
                    let ms = self.chance.below(5);
                    self.after(ms, Happening::Admit(connection.generation));
                }
                Did::Store(job) => self.ask_store(job),
                Did::Connect => self.connect_kafka(),
                Did::Send(rows, watermark) => self.send_kafka(rows, watermark),
            }
        }
        match &self.process {
            Some(process) if process.engine.is_overflowed() => {
                Err("the broker's state outgrew the commit".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// A device has its turn: what it sends goes into the ledger, and to its client.
    fn sense(&mut self, number: usize) {
        let now_ms = self.now_ms;
        let mut messages = self.site.sources[number].sense(now_ms, self.site.trouble_ms);
        if self.chance.one_in(100) {
            messages.push(Composed::broken());
        }
        if now_ms < self.site.trouble_ms {
            let due_ms = self.site.sources[number].due_ms();
            self.at(due_ms.max(now_ms + 1), Happening::Sense(number));
        }
        for Composed {
            topic,
            payload,
            readings,
        } in messages
        {
            let number_of_message = self.oracle.note_sent(&readings);
            let message = Message {
                number: number_of_message,
                topic,
                payload,
            };
            let out = self.site.clients[number].send(message);
            self.send_up(number, &out);
        }
    }
}
