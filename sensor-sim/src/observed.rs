//! All that a device sends in a while, kept: for drawings and for statistics.

use std::sync::Arc;

use crate::device::{Device, Message, Recipe};
use crate::fault::{FaultPlan, Order};
use crate::profile::Profile;
use crate::truth::{Kind, Label};

/// What a device sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// One entry for each value, in the order of sending.
    pub samples: Vec<Sample>,
    /// The faults that began.
    pub labels: Vec<Label>,
}

/// One value that was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was sent, ms since the Unix epoch.
    pub at: i64,
    /// When it was measured by the device's clock, ms since the Unix epoch.
    pub time: i64,
    /// Index of the signal whose name it has.
    pub signal: usize,
    /// The device's boot.
    pub boot: u32,
    /// The device's sequence.
    pub sequence: u32,
    /// The value.
    pub value: f64,
    /// Whether its message was the one before once more.
    pub is_repeat: bool,
}

/// A device to be watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its kind.
    pub profile: Profile,
    /// Its name, on which its chance depends.
    pub device: String,
    /// The seed of all chance.
    pub seed: u64,
    /// When it starts, ms since the Unix epoch.
    pub start: i64,
    /// How long it is watched, s.
    pub seconds: f64,
    /// What goes wrong.
    pub plan: FaultPlan,
}

impl Watch {
    /// The same device with one fault of all its signals, or of the device as a whole.
    #[must_use]
    pub fn with_fault(mut self, kind: Kind, from_s: f64, for_s: f64, size: Option<f64>) -> Self {
        self.plan.orders.push(Order {
            kind,
            device: "*".to_owned(),
            signal: "*".to_owned(),
            from_s,
            for_s,
            size,
        });
        self
    }

    /// Watches it to the end.
    #[must_use]
    pub fn run(&self) -> Observed {
        let recipe = Recipe {
            profile: Arc::new(self.profile.clone()),
            plan: Arc::new(self.plan.clone()),
            seed: self.seed,
            start: self.start,
            rate_hz: None,
            boots: 0,
        };
        let mut device = Device::new(&self.device, &recipe);
        let mut observed = Observed::default();
        let Observed { samples, labels } = &mut observed;
        while (device.due_us() as f64) < self.seconds * 1e6 {
            let at = self.start.saturating_add_unsigned(device.due_us() / 1000);
            device.tick(
                at,
                &mut |label| labels.push(label.clone()),
                &mut |message| {
                    keep(samples, at, message);
                },
            );
        }
        observed
    }
}

fn keep(samples: &mut Vec<Sample>, at: i64, message: &Message<'_>) {
    let of_message = message.values.iter().enumerate();
    samples.extend(of_message.map(|(place, &value)| Sample {
        at,
        time: message.time,
        signal: message.stream + place,
        boot: message.boot,
        sequence: message.sequence,
        value,
        is_repeat: message.is_repeat,
    }));
}

impl Observed {
    /// The samples of one signal.
    pub fn of(&self, signal: usize) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |it| it.signal == signal)
    }
}
