//! Runs many seeds of the simulation, on all processors.
//!
//! ```text
//! sim [--seed FIRST] [--seeds N] [--jobs N] [--marks] [--digests] [--tell] [--hasty] [--mutant NUMBER]
//! ```
//!
//! A seed that fails is told with the command that runs it again. `--marks` fails as well if something was never reached.
//! `--hasty` ends at the first failure; `--mutant` chooses a bug where some were planted.

#[path = "../../src/sim/mod.rs"]
mod sim;

use std::panic::{catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sim::Outcome;
use sim::marks::Marks;

/// Failures that are told in full.
const FAILURES_TOLD: usize = 5;

#[derive(Clone, Debug)]
struct Orders {
    first: u64,
    seeds: u64,
    jobs: usize,
    /// The table of marks is printed, and has to be full.
    marks: bool,
    /// A line for each seed, to be compared with that of another machine.
    digests: bool,
    /// Ends at the first failure.
    hasty: bool,
    /// What happens is printed.
    tell: bool,
    mutant: Option<usize>,
}

#[derive(Default)]
struct Sum {
    failures: Vec<(u64, String)>,
    marks: Marks,
    records: usize,
    steps: u64,
    runs: u64,
    digests: Vec<(u64, u64)>,
}

fn main() -> ExitCode {
    let orders = match Orders::read(std::env::args().skip(1)) {
        Ok(orders) => orders,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    plant(orders.mutant);
    // A panic is a finding, and told with its seed.
    set_hook(Box::new(|_| {}));
    let sum = run_all(&orders);
    report(&orders, &sum)
}

#[cfg(feature = "mutants")]
fn plant(mutant: Option<usize>) {
    wire::plant(mutant.unwrap_or(usize::MAX));
}

#[cfg(not(feature = "mutants"))]
fn plant(_: Option<usize>) {}

fn run_all(orders: &Orders) -> Sum {
    let next = AtomicU64::new(orders.first);
    let end = orders.first + orders.seeds;
    let sum = Mutex::new(Sum::default());
    thread::scope(|scope| {
        for _ in 0..orders.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let result = run(seed, orders.tell);
                    let mut sum = sum.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    let has_failed = result.is_err();
                    sum.take(seed, result);
                    if has_failed && orders.hasty {
                        next.store(end, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    sum.into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn run(seed: u64, is_told: bool) -> Result<Outcome, String> {
    catch_unwind(|| sim::run(seed, is_told)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

fn report(orders: &Orders, sum: &Sum) -> ExitCode {
    if orders.digests {
        let mut digests = sum.digests.clone();
        digests.sort_unstable();
        for (seed, digest) in digests {
            println!("{seed} {digest:016x}");
        }
    }
    if orders.marks {
        print!("{}", sum.marks.table());
    }
    let mut failures = sum.failures.clone();
    failures.sort_unstable();
    for (seed, why) in failures.iter().take(FAILURES_TOLD) {
        println!("seed {seed} fails: {why}\n  again with: tests/sim/run --seed {seed} --seeds 1");
    }
    let missed = sum.marks.missed();
    let is_missed = orders.marks && !missed.is_empty();
    if is_missed {
        println!("never reached: {}", missed.join(", "));
    }
    if !orders.digests {
        println!(
            "{} seeds, {} failed; {} records of {} steps",
            sum.runs,
            failures.len(),
            sum.records,
            sum.steps
        );
    }
    if failures.is_empty() && !is_missed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Sum {
    fn take(&mut self, seed: u64, result: Result<Outcome, String>) {
        self.runs += 1;
        match result {
            Ok(outcome) => {
                self.marks.join(&outcome.marks);
                self.records += outcome.records;
                self.steps += outcome.steps;
                self.digests.push((seed, outcome.digest));
            }
            Err(why) => self.failures.push((seed, why)),
        }
    }
}

impl Orders {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut orders = Self {
            first: 1,
            seeds: 100,
            jobs: thread::available_parallelism().map_or(1, usize::from),
            marks: false,
            digests: false,
            hasty: false,
            tell: false,
            mutant: None,
        };
        while let Some(name) = arguments.next() {
            let mut number = || {
                let text = arguments.next().unwrap_or_default();
                let number = text.parse::<u64>();
                number.map_err(|_| format!("{name} wants a number, not {text:?}"))
            };
            match name.as_str() {
                "--seed" => orders.first = number()?,
                "--seeds" => orders.seeds = number()?,
                "--jobs" => orders.jobs = number()?.max(1) as usize,
                "--mutant" => orders.mutant = Some(number()? as usize),
                "--marks" => orders.marks = true,
                "--digests" => orders.digests = true,
                "--hasty" => orders.hasty = true,
                "--tell" => orders.tell = true,
                unknown => return Err(format!("unknown argument {unknown}")),
            }
        }
        Ok(orders)
    }
}
