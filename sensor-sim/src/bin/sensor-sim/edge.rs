//! A Sparkplug B edge node with one device: its certificates of birth and death, and the numbers of its messages.

use anyhow::{Context, Result};
use sensor_sim::payload::{Signal, sparkplug};

use crate::client::packet::{self, Will};

/// Packet id of the subscription to commands; the window has the ids below it.
const COMMANDS_ID: u16 = u16::MAX;

/// An edge node with one device. Each of its sessions has a birth number, which its death certificate repeats.
#[derive(Clone, Debug)]
pub(crate) struct EdgeNode {
    node_birth: String,
    device_birth: String,
    death: String,
    commands: String,
    signals: Vec<Signal>,
    birth: u8,
    certificate: Vec<u8>,
    /// Number of the next message.
    sequence: u8,
}

impl EdgeNode {
    /// The edge node whose device sends its data on `topic`, `spBv1.0/GROUP/DDATA/NODE/DEVICE`; `births` sessions came
    /// before.
    pub(crate) fn new(topic: &str, signals: &[Signal], births: u32) -> Result<Self> {
        let levels: Vec<&str> = topic.split('/').collect();
        let ["spBv1.0", group, "DDATA", node, device] = levels[..] else {
            return Err(anyhow::anyhow!("{topic:?}"))
                .context("a topic of Sparkplug B is spBv1.0/GROUP/DDATA/NODE/DEVICE");
        };
        Ok(Self {
            node_birth: format!("spBv1.0/{group}/NBIRTH/{node}"),
            device_birth: format!("spBv1.0/{group}/DBIRTH/{node}/{device}"),
            death: format!("spBv1.0/{group}/NDEATH/{node}"),
            commands: format!("spBv1.0/{group}/NCMD/{node}"),
            signals: signals.to_vec(),
            birth: births as u8,
            certificate: Vec::new(),
            sequence: 0,
        })
    }

    /// The will of the next session: its death certificate. Numbers of births go on over reconnects, from 255 to 0.
    pub(crate) fn will(&mut self) -> Will<'_> {
        self.birth = self.birth.wrapping_add(1);
        self.certificate.clear();
        sparkplug::write_death(self.birth, &mut self.certificate);
        Will {
            topic: &self.death,
            payload: &self.certificate,
            qos: 1,
            retain: false,
        }
    }

    /// Appends the subscription to commands, of which it knows one: to be born again.
    pub(crate) fn write_subscribe(&self, out: &mut Vec<u8>) {
        packet::write_subscribe(out, COMMANDS_ID, &self.commands, 1);
    }

    /// Appends the births of node and device, at `time`.
    pub(crate) fn write_births(&mut self, time: i64, out: &mut Vec<u8>) {
        self.sequence = 0;
        let mut birth = Vec::new();
        sparkplug::write_node_birth(time, self.birth, &mut birth);
        packet::write_publish(out, &self.node_birth, &birth, 0, 0);
        self.stamp(out);
        birth.clear();
        sparkplug::write_device_birth(time, &self.signals, &mut birth);
        packet::write_publish(out, &self.device_birth, &birth, 0, 0);
        self.stamp(out);
    }

    /// Appends the death, for a node that leaves in peace: then the broker forgets the will.
    pub(crate) fn write_death(&self, out: &mut Vec<u8>) {
        packet::write_publish(out, &self.death, &self.certificate, 0, 0);
    }

    /// Numbers the message at the end of `packet`.
    pub(crate) fn stamp(&mut self, packet: &mut [u8]) {
        sparkplug::stamp(packet, self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::packet::Packet;

    fn edge() -> EdgeNode {
        let signal = Signal {
            name: "t".into(),
            unit: String::new(),
        };
        EdgeNode::new("spBv1.0/sim/DDATA/n/d", &[signal], 254).unwrap()
    }

    fn published(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        let mut at = 0;
        while let Some((packet, len)) = packet::read(&bytes[at..]).unwrap() {
            at += len;
            if let Packet::Publish { topic, payload, .. } = packet {
                all.push((topic.to_owned(), payload.to_vec()));
            }
        }
        all
    }

    #[test]
    fn a_session_begins_with_births_and_ends_with_the_death_of_that_birth() {
        let mut edge = edge();
        let will = edge.will();
        assert_eq!((will.topic, will.qos), ("spBv1.0/sim/NDEATH/n", 1));
        let will = will.payload.to_vec();
        let mut out = Vec::new();
        edge.write_births(5, &mut out);
        edge.write_death(&mut out);
        let published = published(&out);
        let topics: Vec<_> = published.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "spBv1.0/sim/NBIRTH/n",
                "spBv1.0/sim/DBIRTH/n/d",
                "spBv1.0/sim/NDEATH/n"
            ]
        );
        let sequence = |at: usize| published[at].1[published[at].1.len() - 3..].to_vec();
        assert_eq!(
            (sequence(0), sequence(1)),
            (vec![0x18, 0x80, 0], vec![0x18, 0x81, 0])
        );
        assert_eq!(published[2].1, will);
        assert_ne!(edge.will().payload, will);
    }

    #[test]
    fn numbers_go_on_from_255_to_0_and_begin_anew_with_a_birth() {
        let mut edge = edge();
        let mut numbered = |count: usize| {
            let mut packet = [0; 3];
            (0..count).for_each(|_| edge.stamp(&mut packet));
            packet
        };
        assert_eq!(numbered(256)[1..], [0xFF, 1]);
        assert_eq!(numbered(1)[1..], [0x80, 0]);
        edge.write_births(5, &mut Vec::new());
        let mut packet = [0; 3];
        edge.stamp(&mut packet);
        assert_eq!(packet[1..], [0x82, 0]);
    }

    #[test]
    fn a_topic_of_another_form_is_refused() {
        for topic in ["sensors/a", "spBv1.0/g/DDATA/n", "spBv1.0/g/NDATA/n/d"] {
            assert!(EdgeNode::new(topic, &[], 0).is_err(), "{topic}");
        }
    }
}
