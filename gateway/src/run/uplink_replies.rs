//! What the uplink says, told to the engine.

use super::{Event, Loop};
use crate::forward::Failure;
use crate::uplink;

impl Loop {
    pub(super) fn handle_uplink(&mut self, reply: uplink::Reply) {
        match reply {
            uplink::Reply::Connected { watermark } => {
                tracing::info!(?watermark, "connected to Kafka");
                self.tell(Event::Connected(watermark));
            }
            uplink::Reply::Sent { .. } => self.tell(Event::Sent),
            uplink::Reply::Failed { class, text } => self.handle_uplink_failed(class, &text),
            uplink::Reply::Closed => {}
        }
    }

    fn handle_uplink_failed(&mut self, class: uplink::Class, text: &str) {
        let failure = match class {
            uplink::Class::TooLarge { lane, sequence } => {
                tracing::warn!(%text, ?lane, sequence = sequence.0, "a row is too large for Kafka");
                return self.tell(Event::RowTooLarge { sequence });
            }
            uplink::Class::Retry => Failure::Retry,
            uplink::Class::Auth => Failure::Refused,
            uplink::Class::Fenced => Failure::Fenced,
            uplink::Class::Fatal => Failure::Fatal,
        };
        tracing::warn!(%text, ?failure, "Kafka transfer failed");
        self.tell(Event::UplinkFailed(failure));
    }
}
