//! A run without a network: what would be sent, as CSV, in the order of the times at which it is due.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use sensor_sim::device::{Device, Message};
use sensor_sim::truth::{self, Label};

/// When a dry run ends: whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    /// So long after its start, µs.
    pub(crate) duration_us: u64,
    /// After so many messages of each device.
    pub(crate) count: Option<u64>,
}

/// Writes the readings of all `devices` from `start` on (ms since the Unix epoch), and the labels of their faults.
pub(crate) fn write(
    mut devices: Vec<Device>,
    start: i64,
    until: Until,
    path: &Path,
    labels: Option<&Path>,
) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(cannot)?);
    let mut labels: Box<dyn Write> = match labels {
        Some(path) => Box::new(BufWriter::new(
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
        )),
        None => Box::new(io::sink()),
    };
    writeln!(out, "at,device,boot,sequence,time,signal,value")?;
    let mut left = vec![until.count.unwrap_or(u64::MAX); devices.len()];
    let mut due: BinaryHeap<_> = (0..devices.len())
        .map(|index| Reverse((devices[index].due_us(), index)))
        .collect();
    while let Some(Reverse((due_us, index))) = due.pop() {
        if due_us >= until.duration_us {
            break;
        }
        let at = start.saturating_add_unsigned(due_us / 1000);
        let result = tick(&mut devices[index], at, &mut out, &mut labels);
        result.with_context(cannot)?;
        left[index] -= 1;
        if left[index] > 0 {
            due.push(Reverse((devices[index].due_us(), index)));
        }
    }
    out.flush().with_context(cannot)?;
    labels.flush().context("cannot write the labels")
}

fn tick(
    device: &mut Device,
    at: i64,
    out: &mut impl Write,
    labels: &mut impl Write,
) -> io::Result<()> {
    let signals: Vec<String> = device
        .profile()
        .signal
        .iter()
        .map(|signal| signal.name.clone())
        .collect();
    let name = device.name().to_owned();
    let mut result = Ok(());
    let mut labelled = Ok(());
    let mut tell = |label: &Label| {
        if labelled.is_ok() {
            labelled = truth::write_label(&mut *labels, label);
        }
    };
    let mut send = |message: &Message<'_>| {
        let of_message = &signals[message.stream..];
        for (signal, value) in of_message.iter().zip(message.values) {
            let &Message {
                boot,
                sequence,
                time,
                ..
            } = message;
            if result.is_ok() {
                result = writeln!(out, "{at},{name},{boot},{sequence},{time},{signal},{value}");
            }
        }
    };
    device.tick(at, &mut tell, &mut send);
    result.and(labelled)
}
