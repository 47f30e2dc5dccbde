//! Where a connection's messages come from: a simulated device, or a recording.

use sensor_sim::device::{Device, Message};
use sensor_sim::ledger::Expectation;
use sensor_sim::payload::{self, Signal, Writer};
use sensor_sim::truth::Label;

use crate::player::Player;

/// A message that is ready to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    /// Index of the device's stream.
    pub stream: usize,
    /// Counts the device's messages, from 1.
    pub sequence: u32,
    /// Time by the device's clock, ms since the Unix epoch.
    pub time: i64,
    /// The values, for the ledger.
    pub values: &'a [f64],
    /// What is expected of it, for the ledger.
    pub expectation: Expectation,
    /// Its payload.
    pub payload: &'a [u8],
}

/// Where messages come from.
#[derive(Debug)]
pub(crate) enum Feed {
    /// A simulated device.
    Device(Box<DeviceFeed>),
    /// A recording that is played.
    Recording(Box<Player>),
}

/// A simulated device whose messages are written in its dialect.
#[derive(Debug)]
pub(crate) struct DeviceFeed {
    device: Device,
    writer: Writer,
    payload: Vec<u8>,
    /// Ticks that are left.
    left: u64,
}

impl DeviceFeed {
    /// A feed of at most `count_max` ticks; payloads shorter than `bytes_min` are filled up.
    pub(crate) fn new(device: Device, bytes_min: usize, count_max: Option<u64>) -> Self {
        let writer = Writer::new(device.profile(), device.name(), bytes_min);
        Self {
            device,
            writer,
            payload: Vec::new(),
            left: count_max.unwrap_or(u64::MAX),
        }
    }

    /// What its messages are about.
    pub(crate) fn signals(&self) -> &[Signal] {
        self.writer.signals()
    }
}

impl Feed {
    /// When the next message is due, µs after the start of the run; `None` if there is none.
    pub(crate) fn due_us(&self) -> Option<u64> {
        match self {
            Self::Device(feed) => (feed.left > 0).then(|| feed.device.due_us()),
            Self::Recording(player) => player.due_us(),
        }
    }

    /// Gives what is due, at `at` (ms since the Unix epoch).
    pub(crate) fn tick(
        &mut self,
        at: i64,
        tell: &mut dyn FnMut(&Label),
        send: &mut dyn FnMut(&Outgoing<'_>),
    ) {
        match self {
            Self::Device(feed) => {
                feed.left -= 1;
                let DeviceFeed {
                    device,
                    writer,
                    payload,
                    ..
                } = &mut **feed;
                device.tick(at, tell, &mut |message| {
                    send_message(message, writer, payload, send)
                });
            }
            Self::Recording(player) => player.tick(send),
        }
    }

    /// Gives what was kept back, at the end.
    pub(crate) fn flush(&mut self, send: &mut dyn FnMut(&Outgoing<'_>)) {
        if let Self::Device(feed) = self {
            let DeviceFeed {
                device,
                writer,
                payload,
                ..
            } = &mut **feed;
            device.flush(&mut |message| send_message(message, writer, payload, send));
        }
    }
}

fn send_message(
    message: &Message<'_>,
    writer: &Writer,
    payload: &mut Vec<u8>,
    send: &mut dyn FnMut(&Outgoing<'_>),
) {
    payload.clear();
    writer.write(message, payload);
    let expectation = if message.is_repeat {
        Expectation::Repeat
    } else if payload::is_refusable(writer.dialect(), message.values) {
        Expectation::Refusable
    } else {
        Expectation::Kept
    };
    send(&Outgoing {
        stream: message.stream,
        sequence: message.sequence,
        time: message.time,
        values: message.values,
        expectation,
        payload,
    });
}
