//! What was published and is not acknowledged yet: bounded, found by packet id, sent again in the old order.

use super::packet::{self, Answer};

/// What its publisher wants to know of a message once it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The device's sequence.
    pub sequence: u32,
    /// When it was to be sent, µs.
    pub intended_us: u64,
    /// When it was sent first, µs.
    pub sent_us: u64,
}

/// The window of one session. A message keeps its slot until its packet id is free again.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    slots: Vec<Slot>,
    free: Vec<u16>,
    size: u16,
    serial: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    state: State,
    serial: u64,
    ticket: Ticket,
    packet: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// Waits for PUBACK or PUBREC.
    Published,
    /// QoS 2: waits for PUBCOMP.
    Released,
}

impl Window {
    /// A window of `size` messages; slots get their memory when they are first used.
    pub(crate) const fn new(size: u16) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            size,
            serial: 0,
        }
    }

    /// How many messages are on their way.
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether nothing is on its way.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one more message may go.
    pub(crate) fn has_room(&self) -> bool {
        self.len() < usize::from(self.size)
    }

    /// Takes a message, which `write` writes with the packet id that it is given, and gives the packet back;
    /// `None` without calling it if there is no room.
    pub(crate) fn put(
        &mut self,
        ticket: Ticket,
        write: impl FnOnce(&mut Vec<u8>, u16),
    ) -> Option<&[u8]> {
        let at = match self.free.pop() {
            Some(at) => usize::from(at),
            None if self.slots.len() == usize::from(self.size) => return None,
            None => {
                let packet = Vec::new();
                self.slots.push(Slot {
                    state: State::Free,
                    serial: 0,
                    ticket,
                    packet,
                });
                self.slots.len() - 1
            }
        };
        self.serial += 1;
        let slot = &mut self.slots[at];
        slot.state = State::Published;
        slot.serial = self.serial;
        slot.ticket = ticket;
        slot.packet.clear();
        // Packet ids begin at 1 [MQTT-2.3.1-1].
        write(&mut slot.packet, at as u16 + 1);
        Some(&slot.packet)
    }

    /// QoS 1: PUBACK came.
    pub(crate) fn acknowledged(&mut self, id: u16) -> Option<Ticket> {
        let slot = self
            .slot(id)
            .filter(|slot| slot.state == State::Published)?;
        slot.state = State::Free;
        let ticket = slot.ticket;
        self.free.push(id - 1);
        Some(ticket)
    }

    /// QoS 2: PUBREC came. PUBREL answers it in any case [MQTT-4.3.3-1].
    pub(crate) fn received(&mut self, id: u16) -> Option<Ticket> {
        let slot = self
            .slot(id)
            .filter(|slot| slot.state == State::Published)?;
        slot.state = State::Released;
        Some(slot.ticket)
    }

    /// QoS 2: PUBCOMP came.
    pub(crate) fn completed(&mut self, id: u16) {
        if let Some(slot) = self.slot(id).filter(|slot| slot.state == State::Released) {
            slot.state = State::Free;
            self.free.push(id - 1);
        }
    }

    /// Appends all that the broker must get again after a reconnect, in the old order [MQTT-4.4.0-1], each PUBLISH as
    /// `renew` leaves it; gives how many messages that are.
    pub(crate) fn write_again(
        &mut self,
        out: &mut Vec<u8>,
        mut renew: impl FnMut(&mut [u8]),
    ) -> u64 {
        let mut pending: Vec<usize> = (0..self.slots.len())
            .filter(|at| self.slots[*at].state != State::Free)
            .collect();
        pending.sort_unstable_by_key(|at| self.slots[*at].serial);
        let mut messages = 0;
        for at in pending {
            let slot = &mut self.slots[at];
            if slot.state == State::Published {
                renew(&mut slot.packet);
                out.extend_from_slice(&slot.packet);
                messages += 1;
            } else {
                packet::write_answer(out, Answer::Release, at as u16 + 1);
            }
        }
        messages
    }

    fn slot(&mut self, id: u16) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(id).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(window: &mut Window, sequence: u32) -> Option<u16> {
        let mut given = None;
        let ticket = Ticket {
            sequence,
            ..Ticket::default()
        };
        window.put(ticket, |out, id| {
            given = Some(id);
            packet::write_publish(out, "t", &[sequence as u8], 1, id);
        })?;
        given
    }

    #[test]
    fn a_full_window_takes_nothing_until_one_is_acknowledged() {
        let mut window = Window::new(2);
        assert_eq!(
            (
                put(&mut window, 1),
                put(&mut window, 2),
                put(&mut window, 3)
            ),
            (Some(1), Some(2), None)
        );
        assert!(!window.has_room());
        assert_eq!(
            window.acknowledged(1).map(|ticket| ticket.sequence),
            Some(1)
        );
        assert_eq!((put(&mut window, 3), window.len()), (Some(1), 2));
    }

    #[test]
    fn an_answer_to_nothing_is_passed_over() {
        let mut window = Window::new(2);
        put(&mut window, 1);
        assert_eq!(
            (
                window.acknowledged(0),
                window.acknowledged(2),
                window.acknowledged(9)
            ),
            (None, None, None)
        );
        assert!(window.acknowledged(1).is_some() && window.acknowledged(1).is_none());
        window.completed(1);
        assert!(window.is_empty());
    }

    #[test]
    fn at_qos_2_the_packet_id_is_free_only_when_it_is_completed() {
        let mut window = Window::new(1);
        put(&mut window, 1);
        assert_eq!(window.received(1).map(|ticket| ticket.sequence), Some(1));
        assert_eq!((window.received(1), put(&mut window, 2)), (None, None));
        window.completed(1);
        assert_eq!(put(&mut window, 2), Some(1));
    }

    #[test]
    fn after_a_reconnect_all_goes_again_in_the_old_order_and_marked() {
        let mut window = Window::new(3);
        for sequence in 1..=3 {
            put(&mut window, sequence);
        }
        window.acknowledged(1);
        window.received(2);
        put(&mut window, 4);
        let mut out = Vec::new();
        assert_eq!(
            window.write_again(&mut out, |packet| packet[0] |= packet::DUP),
            2
        );
        let mut expected = b"\x62\x02\x00\x02".to_vec();
        expected.extend_from_slice(b"\x3A\x06\x00\x01t\x00\x03\x03");
        expected.extend_from_slice(b"\x3A\x06\x00\x01t\x00\x01\x04");
        assert_eq!(out, expected);
    }
}
