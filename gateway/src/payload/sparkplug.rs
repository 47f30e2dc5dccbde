//! Sparkplug B: topics and payloads, as Eclipse Sparkplug 3.0 has them (chapters 4 and 6). What nodes have announced is kept in
//! [`nodes`](crate::nodes).
//!
//! The payload is Protocol Buffers. Only the fields that lead to numbers are read, in place and without allocating; of all
//! others the lengths are checked. No length is believed before the bytes are there.

use super::PayloadError;
use crate::limits::METRICS_PER_MESSAGE_MAX;

/// First level of all topics.
pub const NAMESPACE: &str = "spBv1.0";
/// The metric by which a node is told to be born again.
pub const REBIRTH: &str = "Node Control/Rebirth";
/// The metric that ties a death to the birth before it.
pub const DEATH_SEQUENCE: &str = "bdSeq";

/// Who sent a message, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'t> {
    /// The group.
    pub group: &'t str,
    /// What it is.
    pub kind: Kind,
    /// The edge node.
    pub node: &'t str,
    /// The device behind the node; `None`: the node itself.
    pub device: Option<&'t str>,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NBIRTH or DBIRTH: all metrics, with their aliases.
    Birth,
    /// NDATA or DDATA: metrics that changed.
    Data,
    /// NDEATH or DDEATH: it is gone.
    Death,
}

impl<'t> Address<'t> {
    /// The address in `topic`: `spBv1.0/GROUP/TYPE/NODE` or `spBv1.0/GROUP/TYPE/NODE/DEVICE`. `None` for commands, states
    /// of hosts, and all other topics.
    #[must_use]
    pub fn parse(topic: &'t str) -> Option<Self> {
        let rest = topic.strip_prefix(NAMESPACE)?.strip_prefix('/')?;
        let mut levels = rest.split('/');
        let (group, name, node) = (levels.next()?, levels.next()?, levels.next()?);
        let (device, end) = (levels.next(), levels.next());
        let kind = match (name, device) {
            ("NBIRTH", None) | ("DBIRTH", Some(_)) => Kind::Birth,
            ("NDATA", None) | ("DDATA", Some(_)) => Kind::Data,
            ("NDEATH", None) | ("DDEATH", Some(_)) => Kind::Death,
            _ => return None,
        };
        let is_named = !group.is_empty() && !node.is_empty() && device != Some("");
        (is_named && end.is_none()).then_some(Self {
            group,
            kind,
            node,
            device,
        })
    }
}

/// A payload of which every byte has been looked at.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p> {
    /// When it was sent, ms since 1970.
    pub time: Option<u64>,
    /// The node's sequence, 0 to 255.
    pub sequence: Option<u64>,
    fields: Fields<'p>,
}

/// One metric.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metric<'p> {
    /// Its name: in births, and where no alias is used.
    pub name: Option<&'p str>,
    /// The number that stands for the name.
    pub alias: Option<u64>,
    /// When it was measured, ms since 1970.
    pub time: Option<u64>,
    /// Its datatype: in births, seldom elsewhere.
    pub datatype: Option<u64>,
    /// It has no value.
    pub is_null: bool,
    value: Value,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Value {
    #[default]
    None,
    Integer(u64),
    Float(f64),
}

/// Whether values of the datatype are numbers or truth values (section 6.4.16).
#[must_use]
pub fn is_number(datatype: u64) -> bool {
    (1..=11).contains(&datatype)
}

impl<'p> Payload<'p> {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`PayloadError`] if these are not the bytes of one, or it has too many metrics.
    pub fn read(bytes: &'p [u8]) -> Result<Self, PayloadError> {
        let fields = Fields { bytes, at: 0 };
        let mut payload = Self {
            time: None,
            sequence: None,
            fields,
        };
        let mut metrics = 0;
        let mut rest = fields;
        while let Some((number, part)) = rest.next()? {
            match (number, part) {
                (1, Part::Varint(time)) => payload.time = Some(time),
                (3, Part::Varint(sequence)) => payload.sequence = Some(sequence),
                (2, Part::Bytes(metric, offset)) => {
                    metrics += 1;
                    Metric::read(metric).map_err(|mut error| {
                        error.offset += offset;
                        error
                    })?;
                }
                _ => {}
            }
        }
        if metrics > METRICS_PER_MESSAGE_MAX {
            let reason = format!(
                "{metrics} metrics, more than {METRICS_PER_MESSAGE_MAX}; give the node devices with fewer each"
            );
            return Err(PayloadError::new(reason, 0));
        }
        Ok(payload)
    }

    /// The metrics.
    pub fn metrics(&self) -> impl Iterator<Item = Metric<'p>> + use<'p> {
        let mut fields = self.fields;
        // All were read once: none fails.
        core::iter::from_fn(move || fields.next().ok().flatten()).filter_map(|(number, part)| {
            match part {
                Part::Bytes(metric, _) if number == 2 => Metric::read(metric).ok(),
                Part::Varint(_) | Part::Fixed(_) | Part::Bytes(..) => None,
            }
        })
    }

    /// The number that ties a death to its birth.
    #[must_use]
    pub fn death_sequence(&self) -> Option<u64> {
        let metric = self
            .metrics()
            .find(|metric| metric.name == Some(DEATH_SEQUENCE))?;
        match metric.value {
            Value::Integer(number) => Some(number),
            Value::Float(_) | Value::None => None,
        }
    }
}

impl<'p> Metric<'p> {
    /// Its value, as a number of this datatype. Whole numbers are two's complement in as many bits as they have, some
    /// implementations fill up the rest.
    #[must_use]
    pub fn number(&self, datatype: u64) -> Option<f64> {
        match (datatype, self.value) {
            (_, _) if self.is_null => None,
            (1, Value::Integer(bits)) => Some(f64::from(bits as i8)),
            (2, Value::Integer(bits)) => Some(f64::from(bits as i16)),
            (3, Value::Integer(bits)) => Some(f64::from(bits as i32)),
            (4, Value::Integer(bits)) => Some(bits.cast_signed() as f64),
            (5..=8, Value::Integer(bits)) => Some(bits as f64),
            (11, Value::Integer(bits)) => Some(f64::from(u8::from(bits != 0))),
            (9 | 10, Value::Float(value)) => Some(value),
            (_, Value::None | Value::Integer(_) | Value::Float(_)) => None,
        }
    }

    fn read(bytes: &'p [u8]) -> Result<Self, PayloadError> {
        let mut metric = Self::default();
        let mut fields = Fields { bytes, at: 0 };
        while let Some((number, part)) = fields.next()? {
            match (number, part) {
                (1, Part::Bytes(name, offset)) => {
                    metric.name = Some(core::str::from_utf8(name).map_err(|error| {
                        PayloadError::new("a name is not UTF-8", offset + error.valid_up_to())
                    })?);
                }
                (2, Part::Varint(alias)) => metric.alias = Some(alias),
                (3, Part::Varint(time)) => metric.time = Some(time),
                (4, Part::Varint(datatype)) => metric.datatype = Some(datatype),
                (7, Part::Varint(is_null)) => metric.is_null = is_null != 0,
                (10 | 11 | 14, Part::Varint(value)) => metric.value = Value::Integer(value),
                (12, Part::Fixed(value)) => {
                    metric.value = Value::Float(f64::from(f32::from_bits(value as u32)));
                }
                (13, Part::Fixed(value)) => metric.value = Value::Float(f64::from_bits(value)),
                _ => {}
            }
        }
        Ok(metric)
    }
}

/// Writes the command by which a node is asked for its birth (section 6.4.21).
pub fn write_rebirth(now_ms: u64, out: &mut Vec<u8>) {
    out.clear();
    out.push(0x08);
    write_varint(now_ms, out);
    out.push(0x12);
    let len_at = out.len();
    out.extend_from_slice(&[0, 0x0A, REBIRTH.len() as u8]);
    out.extend_from_slice(REBIRTH.as_bytes());
    out.push(0x18);
    write_varint(now_ms, out);
    out.extend_from_slice(&[0x20, 11, 0x70, 1]);
    // Name, time, datatype and value have 37 bytes at most.
    out[len_at] = (out.len() - len_at - 1) as u8;
}

fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Walks over the fields of one message of Protocol Buffers.
#[derive(Clone, Copy, Debug)]
struct Fields<'p> {
    bytes: &'p [u8],
    at: usize,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Part<'p> {
    Varint(u64),
    Fixed(u64),
    /// Bytes, and where they begin.
    Bytes(&'p [u8], usize),
}

impl<'p> Fields<'p> {
    /// The number of the next field, and what it holds.
    fn next(&mut self) -> Result<Option<(u64, Part<'p>)>, PayloadError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let begin = self.at;
        let tag = self.varint()?;
        let part = match tag & 7 {
            0 => Part::Varint(self.varint()?),
            1 => Part::Fixed(self.fixed::<8>()?),
            2 => {
                let len = self.varint()?;
                let at = self.at;
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                Part::Bytes(self.take(len)?, at)
            }
            5 => Part::Fixed(self.fixed::<4>()?),
            _ => {
                let reason = "a field of a kind that Sparkplug does not have";
                return Err(PayloadError::new(reason, begin));
            }
        };
        Ok(Some((tag >> 3, part)))
    }

    fn varint(&mut self) -> Result<u64, PayloadError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(PayloadError::new("a number has more than 64 bits", self.at))
    }

    fn fixed<const N: usize>(&mut self) -> Result<u64, PayloadError> {
        let mut word = [0; 8];
        word[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(word))
    }

    fn take(&mut self, len: usize) -> Result<&'p [u8], PayloadError> {
        let end = self.at.saturating_add(len);
        let taken = self.bytes.get(self.at..end).ok_or_else(|| {
            PayloadError::new(
                "the payload ends within a field; expected Sparkplug B",
                self.at,
            )
        })?;
        self.at = end;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
