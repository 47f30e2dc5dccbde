//! SenML packs in JSON (RFC 8428): an array of records, each with base fields that hold from there on.
//!
//! The resolved name of a record is its base name and its name, one behind the other (section 4.5.1). What stands behind
//! the last `:` or `/` of it is the signal; what stands before is the device, unless the topic names one. A sum is a
//! signal of its own, with `.sum` behind the name. Units are passed over: the config says the unit of a sensor.
//!
//! A record is a measurement if it has any regular field; one of base fields alone says what holds from there on, and
//! measures nothing, be there a `bv` among them (section 4.2 wants a value or a sum in each measurement, and packs often
//! begin with such a record). A measurement without `v` has the base value, one without `s` the base sum (section 4.5.4).
//!
//! A record that holds no number, or whose name is none, is refused alone; its base fields hold nevertheless.

use core::fmt;

use heapless::String as Joined;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wire::Timestamp;

use super::json::{Key, error_at};
use super::{PayloadError, Readings};
use crate::limits::{DEVICE_BYTES_MAX, SIGNAL_BYTES_MAX};
use crate::mapping::Mapped;

/// Versions up to this one are read (section 4.4: 10 is the one of RFC 8428).
const VERSION_MAX: f64 = 10.0;
/// Times below are relative to now, in s (section 4.5.3): 2^28.
const RELATIVE_S_MAX: f64 = 268_435_456.0;
/// Times up to here are taken, in s either way: the 64 bits of a time in ms hold them with room to spare.
const TIME_S_MAX: f64 = 1e12;

/// The name of a record, in the two pieces in which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'p> {
    base: &'p str,
    own: &'p str,
    is_sum: bool,
}

impl<'p> Name<'p> {
    /// The device, as the name has it: what stands before the last `:` or `/`. `None`: it is too long.
    #[must_use]
    pub fn device(&self) -> Option<Joined<DEVICE_BYTES_MAX>> {
        let ((base, own), _) = self.split();
        join([base, own, ""])
    }

    /// The signal: what stands behind the last `:` or `/`. `None`: it is too long.
    #[must_use]
    pub fn signal(&self) -> Option<Joined<SIGNAL_BYTES_MAX>> {
        let (_, (base, own)) = self.split();
        join([base, own, if self.is_sum { ".sum" } else { "" }])
    }

    /// Device and signal, each in two pieces.
    fn split(&self) -> ((&'p str, &'p str), (&'p str, &'p str)) {
        let Self { base, own, .. } = *self;
        match (own.rfind([':', '/']), base.rfind([':', '/'])) {
            (Some(at), _) => ((base, &own[..at]), ("", &own[at + 1..])),
            (None, Some(at)) => ((&base[..at], ""), (&base[at + 1..], own)),
            (None, None) => (("", ""), (base, own)),
        }
    }

    fn is_same_device(&self, other: &Self) -> bool {
        let pieces = |name: &Self| {
            let ((base, own), _) = name.split();
            base.bytes().chain(own.bytes())
        };
        pieces(self).eq(pieces(other))
    }

    fn signal_is(&self, signal: &str) -> bool {
        let (_, (base, own)) = self.split();
        let is_bare = base.is_empty() && own.is_empty();
        let is_same = base.bytes().chain(own.bytes()).eq(signal.bytes());
        !self.is_sum && (is_bare || is_same)
    }

    /// Section 4.5.1: letters, digits and `- : . / _`, a letter or digit first.
    fn fault(&self) -> Option<&'static str> {
        let mut bytes = self.base.bytes().chain(self.own.bytes());
        match bytes.next() {
            None => return Some("the record has no name: neither \"bn\" nor \"n\""),
            Some(first) if !first.is_ascii_alphanumeric() => {
                return Some("a name begins with a letter or a digit");
            }
            Some(_) => {}
        }
        if !bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-:./_".contains(&byte)) {
            return Some("a name has only letters, digits and - : . / _");
        }
        let (_, (base, own)) = self.split();
        (base.is_empty() && own.is_empty())
            .then_some("nothing stands behind the last : or / of the name")
    }
}

fn join<const N: usize>(parts: [&str; 3]) -> Option<Joined<N>> {
    let mut joined = Joined::new();
    parts
        .iter()
        .try_for_each(|part| joined.push_str(part))
        .ok()
        .map(|()| joined)
}

/// Reads a pack into `readings`.
pub(super) fn parse<'p>(
    payload: &'p [u8],
    mapped: &Mapped<'_, '_>,
    now: Timestamp,
    readings: &mut Readings<'p>,
) -> Result<(), PayloadError> {
    let mut pack = Pack {
        payload,
        mapped,
        now,
        readings,
        base: Base::default(),
        first: None,
        fault: None,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    let read = deserializer.deserialize_seq(&mut pack);
    let fault = pack.fault.take();
    read.and_then(|()| deserializer.end())
        .map_err(|error| fault.unwrap_or_else(|| error_at(payload, &error)))?;
    if readings.items.is_empty() && readings.refused == 0 {
        let reason = "no record of the pack has a value: base fields alone measure nothing";
        return Err(PayloadError::new(reason, 0));
    }
    Ok(())
}

/// What holds from a record on.
#[derive(Clone, Copy, Default)]
struct Base<'p> {
    name: &'p str,
    time_s: Option<f64>,
    value: Option<f64>,
    sum: Option<f64>,
}

struct Pack<'r, 'p, 'm, 't> {
    payload: &'p [u8],
    mapped: &'r Mapped<'t, 'm>,
    now: Timestamp,
    readings: &'r mut Readings<'p>,
    base: Base<'p>,
    /// The first name that was taken: where the topic names the device, all others belong to the same one.
    first: Option<Name<'p>>,
    /// What makes the whole pack useless.
    fault: Option<PayloadError>,
}

impl<'p> Visitor<'p> for &mut Pack<'_, 'p, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SenML pack, which is an array of records")
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(raw) = records.next_element::<&'p RawValue>()? {
            if let Err(reason) = self.take(raw) {
                let fault = PayloadError::new(reason, self.offset(raw));
                self.fault = Some(fault);
                return Err(de::Error::custom("the pack is refused"));
            }
        }
        Ok(())
    }
}

impl<'p> Pack<'_, 'p, '_, '_> {
    /// Where a part of the payload begins.
    fn offset(&self, part: &RawValue) -> usize {
        let begin = self.payload.as_ptr() as usize;
        (part.get().as_ptr() as usize).saturating_sub(begin)
    }

    /// Takes a record. An error is one of the whole pack.
    fn take(&mut self, raw: &'p RawValue) -> Result<(), String> {
        let mut record = Record::default();
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        deserializer
            .deserialize_map(&mut record)
            .map_err(|error| error.to_string())?;
        self.set_base(&record)?;
        if let Some(kind) = record.other {
            self.readings
                .refuse(PayloadError::new(kind, self.offset(raw)));
            return Ok(());
        }
        let has_value = record.value.is_some() || (self.base.value.is_some() && record.is_item());
        let has_sum = record.sum.is_some() || (self.base.sum.is_some() && record.is_item());
        for (wanted, is_sum) in [(has_value, false), (has_sum, true)] {
            if !wanted {
                continue;
            }
            if let Err(reason) = self.resolve(&record, is_sum) {
                self.readings
                    .refuse(PayloadError::new(reason, self.offset(raw)));
            }
        }
        if record.is_item() && !has_value && !has_sum {
            let reason = "the record has no value (\"v\", \"bv\") and no sum (\"s\", \"bs\")";
            self.readings
                .refuse(PayloadError::new(reason, self.offset(raw)));
        }
        Ok(())
    }

    fn set_base(&mut self, record: &Record<'p>) -> Result<(), String> {
        if let Some(key) = record.must_understand {
            return Err(format!(
                "the label \"{key}\" must be understood, and is not"
            ));
        }
        if let Some(version) = field("bver", record.base_version)?
            && version > VERSION_MAX
        {
            return Err(format!("SenML version {version} is not known; send 10"));
        }
        if let Some(name) = record.base_name {
            self.base.name = text(name).ok_or("\"bn\" is no text without escapes")?;
        }
        let base = &mut self.base;
        base.time_s = field("bt", record.base_time)?.or(base.time_s);
        base.value = field("bv", record.base_value)?.or(base.value);
        base.sum = field("bs", record.base_sum)?.or(base.sum);
        Ok(())
    }

    /// Makes a reading of the record. An error is one of the record alone.
    fn resolve(&mut self, record: &Record<'p>, is_sum: bool) -> Result<(), String> {
        let own = match record.name {
            None => "",
            Some(name) => text(name).ok_or("\"n\" is no text without escapes")?,
        };
        let base = self.base.name;
        let name = Name { base, own, is_sum };
        if let Some(fault) = name.fault() {
            return Err(fault.to_owned());
        }
        let value = if is_sum {
            field("s", record.sum)?.unwrap_or(0.0) + self.base.sum.unwrap_or(0.0)
        } else {
            field("v", record.value)?.unwrap_or(0.0) + self.base.value.unwrap_or(0.0)
        };
        let time = match (self.base.time_s, field("t", record.time)?) {
            (None, None) => None,
            (base, own) => self.time(base.unwrap_or(0.0) + own.unwrap_or(0.0))?,
        };
        let name = self.name(name)?;
        self.readings.push(name, time, value)
    }

    /// Section 4.5.3. A time of 0 is now: that is what the arrival time says.
    fn time(&self, seconds: f64) -> Result<Option<Timestamp>, String> {
        if seconds == 0.0 {
            return Ok(None);
        }
        if seconds.abs() > TIME_S_MAX {
            return Err("the time is beyond the year 33 000".to_owned());
        }
        let base = if seconds < RELATIVE_S_MAX {
            self.now.0
        } else {
            0
        };
        let ms = (seconds * 1_000.0).round() as i64;
        Ok(Some(Timestamp(base.saturating_add(ms))))
    }

    /// The name, held against what the topic says.
    fn name(&mut self, name: Name<'p>) -> Result<super::Name<'p>, String> {
        match (self.mapped.device, self.mapped.signal) {
            (_, Some(signal)) if name.signal_is(signal) => Ok(super::Name::Topic),
            (_, Some(signal)) => Err(format!(
                "the topic names the signal {signal}, the record another"
            )),
            (Some(_), None) => {
                let first = *self.first.get_or_insert(name);
                if first.is_same_device(&name) {
                    Ok(super::Name::Senml(name))
                } else {
                    Err("a second device in the pack, while the topic names one".to_owned())
                }
            }
            (None, None) if name.device().is_some_and(|device| !device.is_empty()) => {
                Ok(super::Name::Senml(name))
            }
            (None, None) => {
                Err("neither the topic nor the name says which device it is".to_owned())
            }
        }
    }
}

/// The fields of a record as they stand there.
#[derive(Default)]
struct Record<'p> {
    base_name: Option<&'p RawValue>,
    base_time: Option<&'p RawValue>,
    base_value: Option<&'p RawValue>,
    base_sum: Option<&'p RawValue>,
    base_version: Option<&'p RawValue>,
    name: Option<&'p RawValue>,
    time: Option<&'p RawValue>,
    value: Option<&'p RawValue>,
    sum: Option<&'p RawValue>,
    /// Whether a regular field stands there that is passed over.
    has_more: bool,
    /// Why its value is none that the gateway takes.
    other: Option<&'static str>,
    /// A label that ends with `_` (section 12.2).
    must_understand: Option<&'p str>,
}

impl Record<'_> {
    /// Whether it says anything beside base fields.
    fn is_item(&self) -> bool {
        let told = [self.name, self.time, self.value, self.sum];
        self.has_more || told.iter().any(Option::is_some)
    }
}

impl<'p> Visitor<'p> for &mut Record<'p> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SenML record, which is an object")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let raw: &'p RawValue = map.next_value()?;
            match key {
                Some("bn") => self.base_name = Some(raw),
                Some("bt") => self.base_time = Some(raw),
                Some("bv") => self.base_value = Some(raw),
                Some("bs") => self.base_sum = Some(raw),
                Some("bver") => self.base_version = Some(raw),
                Some("n") => self.name = Some(raw),
                Some("t") => self.time = Some(raw),
                Some("v") => self.value = Some(raw),
                Some("s") => self.sum = Some(raw),
                Some("u" | "ut") => self.has_more = true,
                Some("vb") => {
                    self.other = Some("a boolean (\"vb\") is no number; send \"v\": 0 or 1")
                }
                Some("vs") => self.other = Some("a text (\"vs\") is no number"),
                Some("vd") => self.other = Some("data (\"vd\") are no number"),
                Some(label) if label.ends_with('_') => self.must_understand = Some(label),
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

fn field(label: &str, raw: Option<&RawValue>) -> Result<Option<f64>, String> {
    let Some(raw) = raw else { return Ok(None) };
    match raw.get().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        Ok(_) => Err(format!("\"{label}\" is out of range")),
        Err(_) => Err(format!("\"{label}\" is no number")),
    }
}

/// A JSON string that needs nothing undone.
fn text(raw: &RawValue) -> Option<&str> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('\\')).then_some(inner)
}
