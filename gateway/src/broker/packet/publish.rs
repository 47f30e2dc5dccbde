//! PUBLISH (3.3) and its four acknowledgements (3.4 to 3.7).

use super::{
    super::topic::{TopicError, TopicName},
    Malformed, Qos, Version, kind,
    property::{Properties, Property},
    reader::Reader,
};

/// Properties passed on to subscribers unchanged and in order `[MQTT-3.3.2-17]`, as up to three runs of bytes: what lies
/// between the ones that are not passed on.
pub type Forwarded<'p> = [&'p [u8]; 3];

/// What a message says, apart from how it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Content<'p> {
    /// Where it was published to.
    pub(in super::super) topic: &'p str,
    /// Application bytes.
    pub(in super::super) payload: &'p [u8],
    /// v5 properties for the subscribers, in wire form.
    pub(in super::super) forwarded: Forwarded<'p>,
    /// Seconds it stays of use, if the publisher said so.
    pub(in super::super) expiry_s: Option<u32>,
}

impl<'p> Content<'p> {
    /// A message without properties.
    pub(in super::super) const fn plain(topic: &'p str, payload: &'p [u8]) -> Self {
        Self {
            topic,
            payload,
            forwarded: [&[]; 3],
            expiry_s: None,
        }
    }

    /// Bytes of its forwarded properties.
    pub(in super::super) const fn forwarded_len(&self) -> usize {
        self.forwarded[0].len() + self.forwarded[1].len() + self.forwarded[2].len()
    }
}

/// A PUBLISH as it came.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct PublishSent<'p> {
    pub(in super::super) dup: bool,
    pub(in super::super) qos: Qos,
    pub(in super::super) retain: bool,
    /// 0 at QoS 0.
    pub(in super::super) packet_id: u16,
    pub(in super::super) alias: Option<u16>,
    /// Its topic is empty if the alias stands for it.
    pub(in super::super) content: Content<'p>,
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Ack {
    pub(in super::super) packet_id: u16,
    /// A v5 reason of 0x80 or more.
    pub(in super::super) failed: bool,
}

/// Cuts single properties out of a block and keeps the runs between them.
pub(super) struct Cutter<'p> {
    block: &'p [u8],
    runs: Forwarded<'p>,
    count: usize,
    start: usize,
}

impl<'p> Cutter<'p> {
    pub(super) const fn new(block: &'p [u8]) -> Self {
        Self {
            block,
            runs: [&[]; 3],
            count: 0,
            start: 0,
        }
    }

    /// Cuts the property of `len` bytes behind which `rest` bytes are left. At most two, as two kinds are not passed on.
    pub(super) fn cut(&mut self, len: usize, rest: usize) {
        let end = self.block.len() - rest;
        self.keep(end - len);
        self.start = end;
    }

    pub(super) fn finish(mut self) -> Forwarded<'p> {
        self.keep(self.block.len());
        self.runs
    }

    fn keep(&mut self, end: usize) {
        self.runs[self.count.min(2)] = &self.block[self.start..end];
        self.count += 1;
    }
}

pub(super) fn decode_publish(
    flags: u8,
    mut reader: Reader<'_>,
    version: Version,
) -> Result<PublishSent<'_>, Malformed> {
    let qos = Qos::from_bits(flags >> 1 & 0x03).ok_or(Malformed::QosThree)?;
    let dup = flags & 0x08 != 0;
    if dup && qos == Qos::AtMostOnce {
        return Err(Malformed::DupAtQosZero);
    }
    let topic = reader.text()?;
    let packet_id = if qos == Qos::AtMostOnce {
        0
    } else {
        reader.packet_id()?
    };
    let mut publish = PublishSent {
        dup,
        qos,
        retain: flags & 0x01 != 0,
        packet_id,
        alias: None,
        content: Content::plain(topic, &[]),
    };
    if version == Version::V5 {
        let block = reader.properties()?;
        if !block.is_empty() {
            read_properties(block, &mut publish)?;
        }
    }
    match TopicName::parse(topic) {
        Err(TopicError::Empty) if publish.alias.is_some() => {}
        parsed => publish.content.topic = parsed?.as_str(),
    }
    publish.content.payload = reader.rest();
    Ok(publish)
}

fn read_properties<'p>(block: Reader<'p>, publish: &mut PublishSent<'p>) -> Result<(), Malformed> {
    let mut cutter = Cutter::new(block.rest());
    let mut properties = Properties::new(block);
    while let Some((id, property)) = properties.next()? {
        match property {
            Property::Alias(alias) => {
                publish.alias = Some(alias);
                cutter.cut(3, properties.rest_len());
            }
            Property::MessageExpiry(seconds) => {
                publish.content.expiry_s = Some(seconds);
                cutter.cut(5, properties.rest_len());
            }
            Property::ResponseTopic(topic) => {
                TopicName::parse(topic).map_err(|_| Malformed::PropertyValue(id))?; // [MQTT-3.3.2-14]
            }
            Property::PayloadFormat(_)
            | Property::ContentType(_)
            | Property::CorrelationData(_)
            | Property::User(..) => {}
            _ => return Err(Malformed::PropertyPlace(id)), // a subscription id, for one [MQTT-3.3.4-6]
        }
    }
    publish.content.forwarded = cutter.finish();
    Ok(())
}

/// Where a message asks its answer to go, and the correlation data that the answer carries, as a property in wire form
/// (3.3.2.3.5, 3.3.2.3.6).
pub(in super::super) fn answer_to<'p>(forwarded: &Forwarded<'p>) -> Option<(&'p str, &'p [u8])> {
    let (mut answer_topic, mut correlation) = (None, &[][..]);
    for run in forwarded {
        let mut properties = Properties::new(Reader::new(run));
        let mut start = 0;
        // They were checked when they came.
        while let Ok(Some((_, property))) = properties.next() {
            let end = run.len() - properties.rest_len();
            match property {
                Property::ResponseTopic(topic) => answer_topic = Some(topic),
                Property::CorrelationData(_) => correlation = &run[start..end],
                _ => {}
            }
            start = end;
        }
    }
    Some((answer_topic?, correlation))
}

pub(super) fn decode_ack(
    kind: u8,
    mut reader: Reader<'_>,
    version: Version,
) -> Result<Ack, Malformed> {
    let mut ack = Ack {
        packet_id: reader.packet_id()?,
        failed: false,
    };
    if version == Version::V5 && !reader.is_empty() {
        let code = reader.u8()?;
        let known = match kind {
            kind::PUBACK | kind::PUBREC => {
                matches!(
                    code,
                    0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99
                )
            }
            _ => matches!(code, 0x00 | 0x92),
        };
        if !known {
            return Err(Malformed::ReasonCode(code));
        }
        ack.failed = code >= 0x80;
        if !reader.is_empty() {
            let mut properties = Properties::new(reader.properties()?);
            while let Some((id, property)) = properties.next()? {
                if !matches!(property, Property::ReasonText(_) | Property::User(..)) {
                    return Err(Malformed::PropertyPlace(id));
                }
            }
        }
    }
    reader.finish()?;
    Ok(ack)
}
