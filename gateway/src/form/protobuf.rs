//! The protobuf form: the messages of gateway/wire/tidegate.proto, by its field numbers
//! (<https://protobuf.dev/programming-guides/encoding/>). As there, a field that has its default is left out.

use wire::{Alert, Gap, Row, SensorName, Sketch, Summary};

use super::{FormError, Sound, open};

/// How the bytes behind a field's number are to be read.
#[derive(Clone, Copy)]
enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
}

/// Writes the form of a row within the capacity of `buffer`.
pub(super) fn write(row: &[u8], buffer: &mut Vec<u8>) -> Result<(), FormError> {
    let mut fields = Fields {
        bytes: buffer,
        is_full: false,
    };
    match open(row)?.0 {
        Sound::Telemetry(frame, reader) => {
            fields.text(1, frame.gateway);
            fields.signed(2, frame.at.0);
            fields.unsigned(4, frame.clock as u64);
            for item in reader {
                let (name, row) = item?;
                fields.message(3, |fields| write_reading(fields, name, &row));
            }
        }
        Sound::Aggregates(frame, reader) => {
            fields.text(1, frame.gateway);
            fields.signed(2, frame.at.0);
            fields.unsigned(4, frame.clock as u64);
            for item in reader {
                let (name, summary) = item?;
                fields.message(3, |fields| write_summary(fields, name, &summary));
            }
        }
        Sound::Alert(gateway, alert) => write_alert(&mut fields, gateway, &alert),
        Sound::Gap(gateway, gap) => write_gap(&mut fields, gateway, &gap),
    }
    if fields.is_full {
        return Err(FormError::TooLarge);
    }
    Ok(())
}

fn write_name(fields: &mut Fields<'_>, first: u32, name: SensorName<'_>) {
    fields.text(first, name.device);
    fields.text(first + 1, name.signal);
    fields.text(first + 2, name.unit);
}

fn write_reading(fields: &mut Fields<'_>, name: SensorName<'_>, row: &Row) {
    write_name(fields, 1, name);
    fields.signed(4, row.time.0);
    fields.signed(5, row.arrival.0);
    fields.float(6, row.content.value());
    fields.float(7, row.content.raw());
    fields.unsigned(8, row.flags.quality() as u64);
    for reason in row.flags.reasons().names() {
        fields.text(9, reason);
    }
    fields.unsigned(10, row.flags.left_out().into());
}

fn write_summary(fields: &mut Fields<'_>, name: SensorName<'_>, summary: &Summary) {
    write_name(fields, 1, name);
    fields.unsigned(4, summary.window.kind as u64);
    fields.signed(5, summary.window.start.0);
    fields.unsigned(6, summary.window.length_ms.into());
    if let Some(stats) = &summary.stats {
        fields.unsigned(7, stats.n.into());
        let numbers = [
            stats.mean,
            stats.m2,
            stats.min,
            stats.max,
            stats.first,
            stats.last,
        ];
        for (field, number) in (8..).zip(numbers) {
            fields.float(field, Some(number));
        }
        fields.present(14, stats.first_at);
        fields.present(15, stats.last_at);
        fields.unsigned(16, stats.covered_ms.into());
        fields.float(17, Some(stats.integral));
        fields.float(18, stats.stddev());
        fields.float(19, stats.time_weighted_mean());
    }
    fields.float(20, summary.ewma);
    fields.unsigned(21, summary.uncertain.into());
    fields.unsigned(22, summary.bad.into());
    fields.unsigned(23, summary.revision.into());
    fields.unsigned(24, summary.partial.into());
    if let Some(sketch) = &summary.sketch {
        fields.message(25, |fields| write_sketch(fields, sketch));
    }
    fields.unsigned(26, summary.clock as u64);
}

fn write_sketch(fields: &mut Fields<'_>, sketch: &Sketch) {
    fields.unsigned(1, sketch.level().into());
    fields.message(2, |fields| {
        let bins = sketch.bins().map(|(bin, _)| zigzag(bin));
        bins.for_each(|bin| fields.varint(bin));
    });
    fields.message(3, |fields| {
        let counts = sketch.bins().map(|(_, count)| count);
        counts.for_each(|count| fields.varint(count.into()));
    });
}

/// `sint32`: 0, -1, 1, -2 … become 0, 1, 2, 3 …
fn zigzag(number: i32) -> u64 {
    u64::from((number << 1 ^ number >> 31).cast_unsigned())
}

fn write_alert(fields: &mut Fields<'_>, gateway: &str, alert: &Alert<'_>) {
    fields.unsigned(1, alert.id);
    fields.text(2, gateway);
    write_name(fields, 3, alert.name);
    fields.text(6, alert.rule);
    fields.unsigned(7, alert.state() as u64);
    fields.unsigned(8, alert.severity as u64);
    fields.signed(9, alert.at.0);
    fields.signed(10, alert.since.0);
    fields.float(11, alert.value);
    fields.float(12, alert.limit);
    fields.text(13, alert.why.as_str());
    fields.text(14, alert.kind.name());
    fields.text(15, alert.transition.name());
    fields.text(16, alert.standing.name());
    fields.unsigned(17, alert.first_out.unwrap_or(0));
    fields.unsigned(18, alert.clock as u64);
}

fn write_gap(fields: &mut Fields<'_>, gateway: &str, gap: &Gap) {
    fields.text(1, gateway);
    fields.signed(2, gap.at.0);
    fields.unsigned(3, gap.lane as u64);
    fields.unsigned(4, gap.reason as u64);
    fields.unsigned(5, gap.from);
    fields.unsigned(6, gap.to);
    fields.unsigned(7, gap.count);
}

/// Writes fields behind each other, as far as there is room.
struct Fields<'b> {
    bytes: &'b mut Vec<u8>,
    is_full: bool,
}

impl Fields<'_> {
    fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.open(field, WireType::Length);
            self.varint(text.len() as u64);
            self.put(text.as_bytes());
        }
    }

    fn unsigned(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.open(field, WireType::Varint);
            self.varint(number);
        }
    }

    /// `int64`: a negative number takes ten bytes.
    fn signed(&mut self, field: u32, number: i64) {
        self.unsigned(field, number.cast_unsigned());
    }

    /// `optional int64`: 0 is there too.
    fn present(&mut self, field: u32, number: i64) {
        self.open(field, WireType::Varint);
        self.varint(number.cast_unsigned());
    }

    /// `optional double`.
    fn float(&mut self, field: u32, number: Option<f64>) {
        if let Some(number) = number {
            self.open(field, WireType::Fixed64);
            self.put(&number.to_le_bytes());
        }
    }

    /// A message or a packed list inside of this one, in front of which its length comes once it is known.
    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.open(field, WireType::Length);
        let start = self.bytes.len();
        write(self);
        let end = self.bytes.len();
        self.varint((end - start) as u64);
        let length_bytes = self.bytes.len() - end;
        self.bytes[start..].rotate_right(length_bytes);
    }

    fn open(&mut self, field: u32, wire_type: WireType) {
        self.varint(u64::from(field) << 3 | wire_type as u64);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put(&[number as u8 | 0x80]);
            number >>= 7;
        }
        self.put(&[number as u8]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.is_full |= bytes.len() > self.bytes.capacity() - self.bytes.len();
        if !self.is_full {
            self.bytes.extend_from_slice(bytes);
        }
    }
}
