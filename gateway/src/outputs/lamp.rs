//! A line of the box's GPIO that is on while an alert is raised.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, Thread};

use gpiocdev::line::Value;

use crate::config::LampSettings;
use crate::limits::LAMP_RETRY_MS;

/// The loop's end of the lamp.
#[derive(Debug)]
pub(super) struct Lamp {
    /// The newest state alone counts, so there is no queue that could be full.
    wanted: Arc<AtomicBool>,
    thread: Thread,
}

impl Lamp {
    /// Starts the thread; a line that is not there is tried again and again.
    pub(super) fn start(settings: &LampSettings) -> io::Result<Self> {
        let line = Line {
            chip: settings.chip.clone(),
            offset: settings.line,
            active_low: settings.active_low,
            request: None,
        };
        let wanted = Arc::new(AtomicBool::new(false));
        let shown = Arc::clone(&wanted);
        let thread = thread::Builder::new()
            .name("lamp".into())
            .spawn(move || serve(line, &shown))?
            .thread()
            .clone();
        Ok(Self { wanted, thread })
    }

    /// Turns it on or off, soon.
    pub(super) fn show(&self, on: bool) {
        if self.wanted.swap(on, Ordering::AcqRel) != on {
            self.thread.unpark();
        }
    }
}

/// Shows what is wanted, for ever: the process ends without asking.
fn serve(mut line: Line, wanted: &AtomicBool) {
    let mut shown = None;
    let mut failing = false;
    loop {
        let on = wanted.load(Ordering::Acquire);
        if shown == Some(on) {
            thread::park();
            continue;
        }
        match line.set(on) {
            Ok(()) => {
                shown = Some(on);
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, chip = %line.chip.display(), line = line.offset,
                        "the lamp cannot be switched; it is tried again (`[lamp]`)");
                }
                failing = true;
                line.request = None;
                thread::park_timeout(Duration::from_millis(LAMP_RETRY_MS));
            }
        }
    }
}

#[derive(Debug)]
struct Line {
    chip: PathBuf,
    offset: u32,
    active_low: bool,
    /// The kernel keeps the line's state as long as it is held.
    request: Option<gpiocdev::Request>,
}

impl Line {
    fn set(&mut self, on: bool) -> gpiocdev::Result<()> {
        let value = if on { Value::Active } else { Value::Inactive };
        match &self.request {
            Some(request) => request.set_value(self.offset, value),
            None => {
                self.request = Some(self.hold(&self.chip, value)?);
                Ok(())
            }
        }
    }

    fn hold(&self, chip: &Path, value: Value) -> gpiocdev::Result<gpiocdev::Request> {
        let mut builder = gpiocdev::Request::builder();
        builder
            .on_chip(chip)
            .with_consumer("tidegate")
            .with_line(self.offset)
            .as_output(value);
        if self.active_low {
            builder.as_active_low();
        }
        builder.request()
    }
}
