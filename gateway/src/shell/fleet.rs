//! What the fleet's agent needs of the shell: another uplink, and what a technician published.

use super::Shell;
use crate::store::Request;
use crate::uplink::Uplink;

impl Shell {
    /// Another uplink takes the place of this one, which ends on a thread of its own: it may have to wait for Kafka.
    pub fn replace_uplink(&mut self, number: u32, uplink: Option<Uplink>) {
        self.uplink_number = number;
        let old = core::mem::replace(&mut self.uplink, uplink);
        if let Some(old) = old
            && let Err(error) = std::thread::Builder::new()
                .name("uplink-end".into())
                .spawn(move || drop(old))
        {
            tracing::error!(%error, "the old uplink cannot be ended");
        }
    }

    /// Asks the store for something that is for the agent; false: it has ended, or too much waits.
    pub fn ask_store(&mut self, request: Request) -> bool {
        self.writer.request(request).is_ok()
    }

    /// Which uplink is in use.
    #[must_use]
    pub const fn uplink_number(&self) -> u32 {
        self.uplink_number
    }

    /// What a technician published for the agent: verb, client, payload.
    pub fn next_override(&mut self) -> Option<(String, String, Vec<u8>)> {
        self.overrides.pop_front()
    }
}
