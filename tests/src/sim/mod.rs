//! The whole gateway in a world of its own: one thread, virtual time, and all chance from one seed. The engine, the broker's
//! core, the pipeline, the forwarder and the recovery are the real ones; sensors are those of the sensor simulator, clients
//! speak MQTT in bytes, and disk, Kafka and network are models which fail in every way that they can.
//!
//! Read in this order: [`site`] (what there is), `world` (what happens), `network`, `outside` (store and Kafka), `troubles`
//! (what goes wrong), [`oracle`] (what must come of it), [`marks`] (what must have been reached).

mod alerts;
pub mod chance;
pub mod client;
pub mod digest;
pub mod kafka;
pub mod marks;
mod network;
pub mod oracle;
mod outside;
pub mod packets;
mod placed;
pub mod process;
pub mod site;
pub mod source;
pub mod store;
mod troubles;
pub mod windows;
mod world;

use marks::Marks;
use world::World;

/// Most things that may happen in a run: ten times what happens in the longest.
const STEPS_MAX: u64 = 400_000;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of everything that was sent to clients and to Kafka.
    pub digest: u64,
    /// What was reached.
    pub marks: Marks,
    /// Readings that arrived.
    pub records: usize,
    /// Things that happened.
    pub steps: u64,
}

/// Runs a seed to its end, and asks the oracle. `is_told`: what happens is printed, for who looks for a reason.
///
/// # Errors
/// What is wrong.
pub fn run(seed: u64, is_told: bool) -> Result<Outcome, String> {
    let mut world = World::new(seed);
    world.is_told = is_told;
    world.begin()?;
    let mut steps = 0;
    while !world.is_over {
        steps += 1;
        let at = |why| format!("at {} ms: {why}", world.now_ms);
        if steps > STEPS_MAX || world.is_late() {
            return Err(at(world.unfinished(steps)));
        }
        let now_ms = world.now_ms;
        world
            .step()
            .map_err(|why| format!("at {now_ms} ms: {why}"))?;
    }
    world.finish()?;
    Ok(Outcome {
        digest: world.digest.0,
        marks: world.marks,
        records: world.kafka.log.len(),
        steps,
    })
}

impl World {
    /// Why it is not over, for people.
    fn unfinished(&self, steps: u64) -> String {
        let process = self.process.as_ref();
        let status = process.map(|process| process.engine.status());
        let clients = self.site.clients.iter();
        let waiting: Vec<&str> = clients
            .filter(|client| !client.is_done())
            .map(|client| client.name.as_str())
            .collect();
        format!(
            "not over after {steps} steps: answered {:?}, clients {waiting:?} wait, Kafka has {:?}, {status:?}",
            self.answered_ms, self.kafka.watermark
        )
    }

    fn finish(&mut self) -> Result<(), String> {
        if let Some(process) = self.process.take() {
            self.note_counters(&process);
        }
        for record in &self.kafka.log {
            self.digest.take(&record.epoch.to_le_bytes());
            self.digest.take(&record.row.sequence.0.to_le_bytes());
            self.digest.take(&record.row.bytes);
        }
        self.oracle
            .check(&self.kafka.log, &self.site.plan, &mut self.marks)
    }
}
