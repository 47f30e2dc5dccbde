//! Messages of Sparkplug's edge nodes: births announce, data are readings, deaths make sensors bad.

use pipeline::{Now, Refused};
use wire::{SensorId, Timestamp};

use super::intake::Message;
use super::{Engine, Perform};
use crate::broker::ReasonCode;
use crate::journal::Entry;
use crate::nodes::{self, NodeId, Order};
use crate::payload::PayloadError;
use crate::payload::sparkplug::{
    Address, DEATH_SEQUENCE, Kind, Metric, NAMESPACE, Payload, is_number, write_rebirth,
};

/// What stands before the names of metrics by which hosts command.
const CONTROLS: [&str; 2] = ["Node Control/", "Device Control/"];

/// Whose message it is.
struct Origin<'t> {
    address: Address<'t>,
    node: NodeId,
    device: nodes::Name,
}

impl Engine {
    pub(super) fn take_sparkplug<P: Perform>(
        &mut self,
        now: Now,
        message: Message<'_>,
        address: &Address<'_>,
        out: &mut P,
    ) -> ReasonCode {
        let payload = match Payload::read(message.payload) {
            Ok(payload) => payload,
            Err(error) => return self.refuse(now, message, &error, out),
        };
        let names = nodes::node_name(address).zip(nodes::device_name(address));
        let Some((name, device)) = names else {
            self.counters.names_refused += 1;
            return ReasonCode::TopicNameInvalid;
        };
        if address.kind == Kind::Death && address.device.is_none() {
            self.nodes.note_death(&name, payload.death_sequence());
            return ReasonCode::Success;
        }
        let Ok(node) = self.nodes.admit(&name) else {
            let error = PayloadError::new("the table of Sparkplug nodes is full", 0);
            self.refuse(now, message, &error, out);
            return ReasonCode::QuotaExceeded;
        };
        let origin = Origin {
            address: *address,
            node,
            device,
        };
        if address.kind == Kind::Birth && address.device.is_none() {
            self.nodes.begin(node, &payload);
        } else if !self.follow(now, &origin, &payload, out) {
            let reason = "the node was not born since the gateway knows it; it was asked to be";
            return self.refuse(now, message, &PayloadError::new(reason, 0), out);
        }
        self.note_message(now, message, out);
        match address.kind {
            Kind::Death => {
                self.tell_offline(now, node, Some(&origin.device), out);
                ReasonCode::Success
            }
            Kind::Birth | Kind::Data => self.take_metrics(now, message, &origin, &payload, out),
        }
    }

    /// The sensors of nodes that have died are told so, where the commit has room for it.
    pub(super) fn bury_nodes<P: Perform>(&mut self, now: Now, out: &mut P) {
        while self.commits.has_room()
            && let Some(node) = self.nodes.dying()
        {
            self.tell_offline(now, node, None, out);
            self.nodes.bury(node);
        }
    }

    /// Whether the node is known. A gap is a reason to ask for its birth, for what is missing may have been one.
    fn follow<P: Perform>(
        &mut self,
        now: Now,
        origin: &Origin<'_>,
        payload: &Payload<'_>,
        out: &mut P,
    ) -> bool {
        match self.nodes.follow(origin.node, payload.sequence) {
            Order::Next => true,
            Order::Gap => {
                self.counters.sparkplug_gaps += 1;
                self.ask_rebirth(now, origin, out);
                true
            }
            Order::Unborn => {
                self.ask_rebirth(now, origin, out);
                false
            }
        }
    }

    fn take_metrics<P: Perform>(
        &mut self,
        now: Now,
        message: Message<'_>,
        origin: &Origin<'_>,
        payload: &Payload<'_>,
        out: &mut P,
    ) -> ReasonCode {
        let mut reason = ReasonCode::Success;
        let mut fault = None;
        for metric in payload.metrics() {
            let found = match origin.address.kind {
                Kind::Birth => self.announce(now, origin, &metric, out),
                Kind::Data | Kind::Death => self.look_up(origin, &metric),
            };
            let taken = match found {
                Ok(Some((sensor, datatype))) => {
                    let time = metric.time.or(payload.time);
                    self.take_metric(now, sensor, time, &metric, datatype, out);
                    continue;
                }
                Ok(None) => continue,
                Err(Unknown::Refused(refused)) => self.count(Err(refused)),
                Err(Unknown::Metric(text)) => {
                    self.counters.items_refused += 1;
                    fault.get_or_insert(text);
                    Some(ReasonCode::PayloadFormatInvalid)
                }
            };
            reason = taken.unwrap_or(reason);
        }
        if let Some(text) = fault {
            self.publish_error(now, message, &PayloadError::new(text, 0), out);
            self.ask_rebirth(now, origin, out);
        }
        reason
    }

    /// A metric of a birth: it gets its sensor. `None`: it is no number.
    fn announce<P: Perform>(
        &mut self,
        now: Now,
        origin: &Origin<'_>,
        metric: &Metric<'_>,
        out: &mut P,
    ) -> Result<Option<(SensorId, u64)>, Unknown> {
        let Some(name) = metric.name.filter(|name| !name.is_empty()) else {
            return Err(Unknown::Metric(
                "a metric of a birth has no name".to_owned(),
            ));
        };
        let is_control = CONTROLS.iter().any(|prefix| name.starts_with(prefix));
        let datatype = metric.datatype.unwrap_or_default();
        let is_wanted = is_number(datatype) && name != DEATH_SEQUENCE && !is_control;
        let sensor = if is_wanted {
            let found = self.find_or_register(now, &origin.device, name, out);
            Some(found.map_err(Unknown::Refused)?)
        } else {
            None
        };
        let announced = self
            .nodes
            .announce(origin.node, &origin.device, metric, sensor);
        announced.map_err(|_| Unknown::Refused(Refused::TableFull))?;
        Ok(sensor.map(|sensor| (sensor, datatype)))
    }

    /// A metric of data: what its birth said of it. `None`: it is no number.
    fn look_up(
        &self,
        origin: &Origin<'_>,
        metric: &Metric<'_>,
    ) -> Result<Option<(SensorId, u64)>, Unknown> {
        let known = match (metric.alias, metric.name) {
            (Some(alias), _) => self.nodes.by_alias(origin.node, alias),
            (None, Some(name)) => match self.find_renamed(&origin.device, name) {
                Some(sensor) => self.nodes.by_sensor(origin.node, sensor),
                // What has no alias and no sensor was no number when it was announced.
                None => return Ok(None),
            },
            (None, None) => None,
        };
        let Some(known) = known else {
            return Err(Unknown::Metric(match (metric.alias, metric.name) {
                (Some(alias), _) => format!("no birth has announced the alias {alias}"),
                (None, Some(name)) => format!("no birth has announced the metric {name}"),
                (None, None) => "a metric has neither name nor alias".to_owned(),
            }));
        };
        let datatype = metric.datatype.unwrap_or(known.datatype);
        Ok(known.sensor.map(|sensor| (sensor, datatype)))
    }

    fn take_metric<P: Perform>(
        &mut self,
        now: Now,
        sensor: SensorId,
        time: Option<u64>,
        metric: &Metric<'_>,
        datatype: u64,
        out: &mut P,
    ) {
        // A metric that is null has no reading; neither has one whose value is not of its type.
        if let Some(value) = metric.number(datatype) {
            let time = time.map(|ms| Timestamp(i64::try_from(ms).unwrap_or(i64::MAX)));
            let reading = Entry::Reading {
                sensor: sensor.0,
                time,
                value,
            };
            self.apply(now, &reading, out);
            self.counters.readings += 1;
        } else if !metric.is_null {
            self.counters.items_refused += 1;
        }
    }

    /// Each sensor of the device, or of the whole node, gets a reading that is none: from now on it is bad.
    fn tell_offline<P: Perform>(
        &mut self,
        now: Now,
        node: NodeId,
        device: Option<&nodes::Name>,
        out: &mut P,
    ) {
        for at in 0.. {
            let Some(sensor) = self.nodes.sensor(node, device, at) else {
                break;
            };
            let reading = Entry::Reading {
                sensor: sensor.0,
                time: None,
                value: f64::NAN,
            };
            self.apply(now, &reading, out);
        }
    }

    fn ask_rebirth<P: Perform>(&mut self, now: Now, origin: &Origin<'_>, out: &mut P) {
        use core::fmt::Write;
        if !self.nodes.may_ask(origin.node, now.instant) {
            return;
        }
        self.counters.rebirths_asked += 1;
        let Address { group, node, .. } = origin.address;
        self.message.topic.clear();
        // Writing into a string cannot fail.
        let _ = write!(self.message.topic, "{NAMESPACE}/{group}/NCMD/{node}");
        write_rebirth(now.wall.0.max(0).cast_unsigned(), &mut self.message.payload);
        self.publish_message(now, out);
    }
}

/// Why a metric has no sensor.
enum Unknown {
    /// There can be none.
    Refused(Refused),
    /// It was not announced, or not as it should.
    Metric(String),
}
