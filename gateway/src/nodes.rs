//! What Sparkplug's edge nodes have announced: for each its sequence, and which alias stands for which sensor.
//!
//! It is no part of the machine, and no byte of it is written. A node whose gateway was away loses its connection and is
//! born again, and any other is asked to be; so the table is whole again before the first reading that needs it, while
//! the journal holds readings under their sensors already.

use heapless::String;
use pipeline::Instant;
use wire::SensorId;

use crate::limits::{
    DEVICE_BYTES_MAX, METRICS_PER_NODE_MAX, NODE_DEVICES_MAX, NODES_MAX, REBIRTH_INTERVAL_MS,
};
use crate::payload::sparkplug::{Address, Metric, Payload};

/// The name of a node, `GROUP/NODE`, or of a device behind it, `GROUP/NODE/DEVICE`.
pub type Name = String<DEVICE_BYTES_MAX>;

/// The table of nodes.
#[derive(Debug, Default)]
pub struct Nodes {
    nodes: Vec<Node>,
}

/// Names a node of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(usize);

#[derive(Debug)]
struct Node {
    name: Name,
    state: State,
    /// When it was last asked to be born again.
    asked: Option<Instant>,
    devices: Vec<Name>,
    metrics: Vec<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not been born since the gateway started, or has died.
    Offline,
    /// It was born; this is the sequence of its last message, and what its death will say.
    Online { sequence: u64, death: Option<u64> },
    /// It has died, and its sensors have not been told so.
    Dying,
}

/// A metric that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The number that stands for its name.
    pub alias: Option<u64>,
    /// Whose readings its values are; `None`: they are no numbers.
    pub sensor: Option<SensorId>,
    /// Its datatype.
    pub datatype: u64,
    device: usize,
}

/// There is no room in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The sequence of a message, held against the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The next one.
    Next,
    /// Messages are missing before it.
    Gap,
    /// There was no birth.
    Unborn,
}

/// The name of the node; `None` if it is too long for a device.
#[must_use]
pub fn node_name(address: &Address<'_>) -> Option<Name> {
    join(&[address.group, "/", address.node])
}

/// The name of the device behind it, or of the node itself; `None` if it is too long.
#[must_use]
pub fn device_name(address: &Address<'_>) -> Option<Name> {
    match address.device {
        None => node_name(address),
        Some(device) => join(&[address.group, "/", address.node, "/", device]),
    }
}

fn join(parts: &[&str]) -> Option<Name> {
    let mut name = Name::new();
    let joined = parts.iter().try_for_each(|part| name.push_str(part));
    joined.ok().map(|()| name)
}

impl Nodes {
    /// The node of this name; it gets a place if it has none. One that is offline makes room where there is none.
    ///
    /// # Errors
    /// [`Full`]: all places are those of living nodes.
    pub fn admit(&mut self, name: &Name) -> Result<NodeId, Full> {
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        let node = Node {
            name: name.clone(),
            state: State::Offline,
            asked: None,
            devices: Vec::new(),
            metrics: Vec::new(),
        };
        if self.nodes.len() < NODES_MAX {
            self.nodes.push(node);
            return Ok(NodeId(self.nodes.len() - 1));
        }
        let offline = |node: &Node| node.state == State::Offline;
        let place = self.nodes.iter().position(offline).ok_or(Full)?;
        self.nodes[place] = node;
        Ok(NodeId(place))
    }

    /// A node was born: what it was before is forgotten.
    pub fn begin(&mut self, id: NodeId, payload: &Payload<'_>) {
        let node = &mut self.nodes[id.0];
        node.metrics.clear();
        node.devices.clear();
        node.state = State::Online {
            sequence: payload.sequence.unwrap_or_default(),
            death: payload.death_sequence(),
        };
    }

    /// Notes the sequence of a message, and how it stands to the one before.
    pub fn follow(&mut self, id: NodeId, sequence: Option<u64>) -> Order {
        match &mut self.nodes[id.0].state {
            State::Offline | State::Dying => Order::Unborn,
            State::Online { sequence: last, .. } => {
                let expected = (*last + 1) % 256;
                *last = sequence.unwrap_or(expected);
                if sequence == Some(expected) {
                    Order::Next
                } else {
                    Order::Gap
                }
            }
        }
    }

    /// Notes a metric that was announced for `device`.
    ///
    /// # Errors
    /// [`Full`]: the node has too many.
    pub fn announce(
        &mut self,
        id: NodeId,
        device: &Name,
        metric: &Metric<'_>,
        sensor: Option<SensorId>,
    ) -> Result<(), Full> {
        let node = &mut self.nodes[id.0];
        let device = match node.devices.iter().position(|known| known == device) {
            Some(at) => at,
            None if node.devices.len() == NODE_DEVICES_MAX => return Err(Full),
            None => {
                node.devices.push(device.clone());
                node.devices.len() - 1
            }
        };
        let known = Known {
            alias: metric.alias,
            sensor,
            datatype: metric.datatype.unwrap_or_default(),
            device,
        };
        let is_same = |other: &Known| {
            (known.alias.is_some() && other.alias == known.alias)
                || (sensor.is_some() && other.sensor == sensor)
        };
        match node.metrics.iter().position(is_same) {
            _ if known.alias.is_none() && sensor.is_none() => {}
            Some(at) => node.metrics[at] = known,
            None if node.metrics.len() == METRICS_PER_NODE_MAX => return Err(Full),
            None => node.metrics.push(known),
        }
        Ok(())
    }

    /// What was announced under the alias.
    #[must_use]
    pub fn by_alias(&self, id: NodeId, alias: u64) -> Option<Known> {
        let metrics = self.nodes[id.0].metrics.iter();
        metrics.copied().find(|known| known.alias == Some(alias))
    }

    /// What was announced for the sensor.
    #[must_use]
    pub fn by_sensor(&self, id: NodeId, sensor: SensorId) -> Option<Known> {
        let metrics = self.nodes[id.0].metrics.iter();
        metrics.copied().find(|known| known.sensor == Some(sensor))
    }

    /// The `at`th sensor of a device of the node, or of all of them.
    #[must_use]
    pub fn sensor(&self, id: NodeId, device: Option<&Name>, at: usize) -> Option<SensorId> {
        let node = &self.nodes[id.0];
        let of_device = |known: &&Known| {
            device.is_none_or(|device| node.devices.get(known.device) == Some(device))
        };
        let sensors = node.metrics.iter().filter(of_device);
        sensors.filter_map(|known| known.sensor).nth(at)
    }

    /// A node said that it dies, or its will did. A death that belongs to an earlier life is none.
    pub fn note_death(&mut self, name: &Name, death: Option<u64>) {
        let Some(NodeId(at)) = self.find(name) else {
            return;
        };
        match self.nodes[at].state {
            State::Online { death: known, .. } if known.is_none() || known == death => {
                self.nodes[at].state = State::Dying;
            }
            State::Online { .. } | State::Offline | State::Dying => {}
        }
    }

    /// A node that has died and whose sensors have to be told.
    #[must_use]
    pub fn dying(&self) -> Option<NodeId> {
        let dying = |node: &Node| node.state == State::Dying;
        self.nodes.iter().position(dying).map(NodeId)
    }

    /// Its sensors were told.
    pub fn bury(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0];
        node.state = State::Offline;
        node.metrics.clear();
        node.devices.clear();
    }

    /// Whether the node is to be asked for its birth now; it is not asked again for a while.
    pub fn may_ask(&mut self, id: NodeId, now: Instant) -> bool {
        let asked = &mut self.nodes[id.0].asked;
        let is_due = asked.is_none_or(|at| now.0 - at.0 >= REBIRTH_INTERVAL_MS);
        if is_due {
            *asked = Some(now);
        }
        is_due
    }

    fn find(&self, name: &Name) -> Option<NodeId> {
        self.nodes
            .iter()
            .position(|node| node.name == *name)
            .map(NodeId)
    }
}

/// Most bytes that the table takes.
pub const MEMORY_BYTES: usize = NODES_MAX
    * (size_of::<Node>()
        + METRICS_PER_NODE_MAX * size_of::<Known>()
        + NODE_DEVICES_MAX * size_of::<Name>());

#[cfg(test)]
mod tests;
