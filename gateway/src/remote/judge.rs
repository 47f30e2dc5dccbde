//! Holds layers against the site's own config and the memory that was taken at the start.

use crate::bill::Bill;
use crate::config::{Config, Fault, Layers};
use crate::fleet::agent::Judge;
use crate::fleet::reason::{Finding, Reason, Refusal};
use crate::fleet::slots::Stack;
use crate::machine::Sizes;
use crate::uplink;

/// The site's config, and what its memory does for.
#[derive(Clone, Debug)]
pub struct Site {
    layers: Layers,
    sizes: Sizes,
    bytes: usize,
}

impl Site {
    /// A judge for a gateway that was started with `running`.
    #[must_use]
    pub fn new(layers: Layers, running: &Config) -> Self {
        Self {
            layers,
            sizes: running.sizes(),
            bytes: Bill::new(running).total(),
        }
    }

    /// The bill of the new config is computed, not tried: memory is taken once, at the start.
    fn check_budget(&self, config: &Config) -> Result<(), Refusal> {
        let over = |pointer: &str, text: String| Err(Refusal::at(Reason::Budget, pointer, text));
        let sizes = config.sizes();
        let bytes = Bill::new(config).total();
        if sizes.rows > self.sizes.rows {
            let text = format!(
                "{} readings; there is memory for {}",
                sizes.rows, self.sizes.rows
            );
            return over("/pipeline/batch_readings_max", text);
        }
        let panes = config.plan().map_or(1, |plan| plan.panes_min());
        if usize::try_from(panes).is_ok_and(|it| it > self.sizes.panes_per_sensor) {
            let text = format!(
                "windows of {panes} panes; there is memory for {} (give the site's file such windows, and restart)",
                self.sizes.panes_per_sensor
            );
            return over("/sensor", text);
        }
        let (slots, gauges) = (sizes.slots_per_sensor, sizes.gauges_per_sensor);
        if slots > self.sizes.slots_per_sensor || gauges > self.sizes.gauges_per_sensor {
            let text = format!(
                "{slots} alarms of a sensor, {gauges} of more than the value; there is memory for {} and {} (give the site's file such alerts, and restart)",
                self.sizes.slots_per_sensor, self.sizes.gauges_per_sensor
            );
            return over("/sensor", text);
        }
        if bytes > self.bytes {
            let text = format!("{bytes} bytes; {} were taken at the start", self.bytes);
            return over("", text);
        }
        Ok(())
    }
}

impl Judge for Site {
    fn form(&self, stack: &Stack) -> Result<(), Refusal> {
        self.layers.form(stack).map(drop).map_err(schema)
    }

    fn judge(&self, stack: &Stack) -> Result<(), Refusal> {
        let config = self.layers.check(stack).map_err(schema)?;
        let impossible = |text: String| Refusal::at(Reason::Schema, "/kafka", text);
        if !config.kafka.bootstrap.is_empty() {
            let settings = config
                .uplink_settings()
                .map_err(|(path, error)| impossible(format!("{}: {error}", path.display())))?;
            uplink::check(&settings).map_err(|error| impossible(error.to_string()))?;
        }
        self.check_budget(&config)
    }
}

fn schema(faults: Vec<Fault>) -> Refusal {
    let finding = |fault: Fault| Finding {
        pointer: match fault.key.as_str() {
            "" => String::new(),
            key => format!("/{}", key.replace(['.', '['], "/").replace(']', "")),
        },
        text: match fault.help {
            Some(help) => format!("{}; {help}", fault.message),
            None => fault.message,
        },
    };
    Refusal::all(Reason::Schema, faults.into_iter().map(finding))
}
