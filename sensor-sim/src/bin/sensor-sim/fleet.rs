//! All publishers of a run on one thread: their start, the signals, the end, the report.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use sensor_sim::ledger::{LedgerWriter, Run as LedgerRun};
use tokio::sync::Notify;
use tokio::task::{JoinSet, LocalSet};

use crate::book;
use crate::clock::Clock;
use crate::edge::EdgeNode;
use crate::figures::Figures;
use crate::progress::Progress;
use crate::publisher::Publisher;
use crate::run::{Buffers, Run, Transport};

/// Connections that are opened each second: more would overflow a broker's accept queue of 128 within a round trip.
const CONNECTS_HZ: u64 = 2000;
/// How often the ledger is written out if nobody sends, and the line of progress is renewed.
const BEAT: Duration = Duration::from_millis(250);

/// What a run is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    /// How messages go.
    pub transport: Transport,
    /// How many devices there are.
    pub devices: u32,
    /// How long, µs.
    pub duration_us: u64,
    /// The seed of all chance.
    pub seed: u64,
    /// Where the ledger is.
    pub ledger: Option<&'a Path>,
    /// Where labels go.
    pub labels: Option<&'a Path>,
}

/// Whose streams a device has, for the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The device.
    pub name: String,
    /// For each stream its topic and its signals.
    pub streams: Vec<(String, Vec<String>)>,
    /// Its edge node, where the dialect is Sparkplug B.
    pub edge: Option<EdgeNode>,
}

/// A run that is being prepared.
pub(crate) struct Fleet {
    run: Rc<Run>,
    boot: u32,
    publishers: Vec<Publisher>,
    streams: u32,
}

impl Fleet {
    /// Opens the files of a run.
    pub(crate) fn prepare(plan: &Plan<'_>) -> Result<Self> {
        let clock = Clock::start();
        let start_us = clock.now_us() + u64::from(plan.devices) * 1_000_000 / CONNECTS_HZ + 100_000;
        let (mut ledger, boot): (LedgerWriter<Box<dyn Write>>, u32) = match plan.ledger {
            Some(path) => book::open(path)?,
            None => (LedgerWriter::append(Box::new(io::sink())), 1),
        };
        let command: Vec<String> = std::env::args().skip(1).collect();
        let start = clock.wall_ms(start_us);
        ledger.run(&LedgerRun {
            boot,
            seed: plan.seed,
            start,
            command: &command.join(" "),
        });
        let labels: Box<dyn Write> = match plan.labels {
            Some(path) => {
                let file = std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path);
                Box::new(
                    file.with_context(|| format!("cannot write the labels to {}", path.display()))?,
                )
            }
            None => Box::new(io::sink()),
        };
        let run = Run {
            transport: plan.transport.clone(),
            clock,
            start_us,
            stop_us: Cell::new(start_us.saturating_add(plan.duration_us)),
            stopped: Notify::new(),
            ledger: RefCell::new(ledger),
            figures: RefCell::new(Figures::new()),
            labels: RefCell::new(labels),
            failure: RefCell::new(None),
            buffers: RefCell::new(Buffers::default()),
        };
        Ok(Self {
            run: Rc::new(run),
            boot,
            publishers: Vec::new(),
            streams: 0,
        })
    }

    /// How often the ledger's devices started before.
    pub(crate) const fn boots(&self) -> u32 {
        self.boot - 1
    }

    /// When the run starts, ms since the Unix epoch.
    pub(crate) fn start(&self) -> i64 {
        self.run.clock.wall_ms(self.run.start_us)
    }

    /// Adds a device and what it sends.
    pub(crate) fn add(&mut self, entry: Entry, feed: crate::feed::Feed) {
        let index = self.publishers.len() as u32;
        let mut ledger = self.run.ledger.borrow_mut();
        ledger.device(&entry.name);
        let first_stream = self.streams;
        for (_, signals) in &entry.streams {
            let signals: Vec<&str> = signals.iter().map(String::as_str).collect();
            ledger.stream(index, &signals);
            self.streams += 1;
        }
        let is_full = ledger.is_full();
        drop(ledger);
        if is_full {
            self.run.commit();
        }
        let topics = entry.streams.into_iter().map(|(topic, _)| topic).collect();
        self.publishers.push(Publisher::new(
            &self.run,
            &entry.name,
            index,
            first_stream,
            topics,
            entry.edge,
            feed,
        ));
    }

    /// Runs all devices to their end and gives the figures and the seconds.
    pub(crate) fn go(self) -> Result<(Figures, f64)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let Self {
            run, publishers, ..
        } = self;
        run.commit();
        LocalSet::new().block_on(&runtime, drive(&run, publishers))?;
        run.commit();
        run.labels
            .borrow_mut()
            .flush()
            .context("cannot write the labels")?;
        if let Some(error) = run.failure.borrow_mut().take() {
            return Err(error.into());
        }
        let end_us = run.clock.now_us().min(run.stop_us.get());
        let seconds = end_us.saturating_sub(run.start_us) as f64 / 1e6;
        Ok((run.figures.borrow().clone(), seconds))
    }
}

async fn drive(run: &Rc<Run>, publishers: Vec<Publisher>) -> Result<()> {
    let mut tasks = JoinSet::new();
    let now_us = run.clock.now_us();
    for (index, publisher) in publishers.into_iter().enumerate() {
        tasks.spawn_local(publisher.run(now_us + index as u64 * 1_000_000 / CONNECTS_HZ));
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut beat = tokio::time::interval(BEAT);
    let span_us = run.stop_us.get().saturating_sub(run.start_us);
    let progress = Progress::over(span_us / 1000);
    loop {
        tokio::select! {
            task = tasks.join_next() => match task {
                None => break,
                Some(ended) => ended.context("a device's task ended by itself")?,
            },
            _ = tokio::signal::ctrl_c() => run.stop(),
            _ = terminate.recv() => run.stop(),
            _ = beat.tick() => {
                run.commit();
                show(run, &progress);
            }
        }
    }
    progress.end();
    Ok(())
}

fn show(run: &Run, progress: &Progress) {
    let figures = run.figures.borrow();
    let passed_us = run.clock.now_us().saturating_sub(run.start_us);
    let rate = figures.sent as f64 * 1e6 / (passed_us as f64).max(1e6);
    let open = figures.sent - figures.acknowledged;
    let up = figures.connects.saturating_sub(figures.disconnects);
    let broken = figures.disconnects;
    progress.show(
        passed_us / 1000,
        format_args!(
            "{} s  {up} connected  {} sent  {rate:.0}/s  {open} open  {broken} broken",
            passed_us / 1_000_000,
            figures.sent
        ),
    );
}
