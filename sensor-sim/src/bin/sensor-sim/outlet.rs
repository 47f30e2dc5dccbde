//! Where messages go out: noted in the ledger, and kept until they are acknowledged.

use std::collections::VecDeque;
use std::rc::Rc;

use sensor_sim::ledger::Expectation;

use crate::client::packet;
use crate::client::window::{Ticket, Window};
use crate::edge::EdgeNode;
use crate::feed::Outgoing;
use crate::run::Run;

/// Where messages go out: the window, and behind it what it has no room for.
pub(crate) struct Outlet {
    pub(crate) run: Rc<Run>,
    pub(crate) first_stream: u32,
    pub(crate) topics: Vec<String>,
    pub(crate) window: Window,
    /// Who numbers the messages, where the dialect is Sparkplug B.
    pub(crate) edge: Option<EdgeNode>,
    /// What one tick gave at once and did not fit; nothing is asked of the feed meanwhile.
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) newest_time: i64,
}

/// A message that waits.
pub(crate) struct Pending {
    pub(crate) stream: usize,
    pub(crate) sequence: u32,
    pub(crate) time: i64,
    pub(crate) values: Box<[f64]>,
    pub(crate) expectation: Expectation,
    pub(crate) payload: Box<[u8]>,
    pub(crate) intended_us: u64,
}

impl Pending {
    pub(crate) fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            stream: self.stream,
            sequence: self.sequence,
            time: self.time,
            values: &self.values,
            expectation: self.expectation,
            payload: &self.payload,
        }
    }
}

impl Outlet {
    pub(crate) fn has_room(&self) -> bool {
        self.run.transport.qos == 0 || self.window.has_room()
    }

    /// Whether a burst may begin. Who sends as fast as he can waits for half of the window: one write for many messages.
    pub(crate) fn is_open(&self) -> bool {
        let transport = &self.run.transport;
        transport.qos == 0
            || if transport.is_flat_out {
                self.window.len() <= usize::from(transport.window / 2)
            } else {
                self.window.has_room()
            }
    }

    pub(crate) fn offer(
        &mut self,
        message: &Outgoing<'_>,
        intended_us: u64,
        now_us: u64,
        out: &mut Vec<u8>,
    ) {
        if self.pending.is_empty() && self.has_room() {
            return self.put(message, intended_us, now_us, out);
        }
        self.pending.push_back(Pending {
            stream: message.stream,
            sequence: message.sequence,
            time: message.time,
            values: message.values.into(),
            expectation: message.expectation,
            payload: message.payload.into(),
            intended_us,
        });
    }

    /// Notes the message in the ledger and appends it to `out`. There is room.
    pub(crate) fn put(
        &mut self,
        message: &Outgoing<'_>,
        intended_us: u64,
        now_us: u64,
        out: &mut Vec<u8>,
    ) {
        let &Outgoing {
            stream,
            sequence,
            time,
            values,
            expectation,
            payload,
        } = message;
        let qos = self.run.transport.qos;
        let topic = &self.topics[stream];
        self.newest_time = self.newest_time.max(time);
        self.run.ledger.borrow_mut().sent(
            self.first_stream + stream as u32,
            sequence,
            time,
            values,
            expectation,
        );
        let mut figures = self.run.figures.borrow_mut();
        figures.sent += 1;
        if qos == 0 {
            figures.done(intended_us, now_us, now_us);
            packet::write_publish(out, topic, payload, 0, 0);
            return stamp(&mut self.edge, out);
        }
        let ticket = Ticket {
            sequence,
            intended_us,
            sent_us: now_us,
        };
        let edge = &mut self.edge;
        let packet = self.window.put(ticket, |slot, id| {
            packet::write_publish(slot, topic, payload, qos, id);
            stamp(edge, slot);
        });
        out.extend_from_slice(packet.unwrap_or_default());
    }

    /// Appends what a new session must say first, at `time`: births, and what was not acknowledged; gives how many
    /// messages go out again.
    pub(crate) fn begin_session(&mut self, time: i64, out: &mut Vec<u8>) -> u64 {
        let Some(edge) = &mut self.edge else {
            return self
                .window
                .write_again(out, |packet| packet[0] |= packet::DUP);
        };
        edge.write_births(time, out);
        // Its session is a clean one: what goes out again is new to the broker.
        self.window.write_again(out, |packet| edge.stamp(packet))
    }
}

fn stamp(edge: &mut Option<EdgeNode>, packet: &mut [u8]) {
    if let Some(edge) = edge {
        edge.stamp(packet);
    }
}
