#!/usr/bin/env python3
"""Reads the messages that Tidegate writes into Kafka: a second reader of the format in gateway/wire/FORMAT.md, made from that
paper alone, in plain Python. Copy this file into a consumer of your own.

    from tidegate_batch import decode
    message = decode(record.value())      # raises Malformed
    for row in message.items: ...

As a program it prints one JSON object for each item of the messages it is given:

    tidegate_batch.py FILE...             # one message in each file
    kcat -C -b HOST -t edge.aggregates -e -q -f '%R%s' | tidegate_batch.py --framed
"""

import json
import math
import struct
import sys
from dataclasses import asdict, dataclass
from typing import Dict, Iterator, List, Optional, Tuple, Union

VERSION = 1
BINS_MAX = 64
LEVEL_MAX = 23
KINDS = {1: "telemetry", 2: "aggregates", 3: "alert", 4: "gap"}
QUALITIES = ("good", "uncertain", "bad", "bad")
REASONS = (
    "out_of_range", "not_finite", "late", "time_repaired", "future", "arrival_time", "spike", "stuck", "filled", "unit",
    "sentinel", "noisy", "clock_unsynced", "step", "condition",
    "clock_repaired",
)
CLOCKS = ("synced", "unsynced", "repaired")
LANES = {1: "telemetry", 2: "aggregates", 3: "alerts"}
GAP_REASONS = ("thinned", "dropped", "corrupt", "refused", "purged")
SEVERITIES = ("info", "warning", "critical")
STATES = ("raised", "cleared")
ALERT_KINDS = ("limit", "silence", "rate", "noise", "burst", "stuck", "drift", "level", "forecast", "unusual", "together")
TRANSITIONS = ("raised", "cleared", "acknowledged", "shelved", "unshelved", "suppressed", "released")
STANDINGS = ("normal", "unacknowledged", "acknowledged", "returned", "shelved", "suppressed")


class Malformed(ValueError):
    """These are not the bytes of a message, or they were changed on their way."""


@dataclass(frozen=True)
class Sensor:
    """What a sensor is called; the id is its place in the table of its gateway."""

    id: int
    device: str
    signal: str
    unit: str


@dataclass(frozen=True)
class Row:
    """A reading: as it was sent (raw) and once cleaned (value). Times are ms since the Unix epoch."""

    sensor: Sensor
    time_ms: int
    arrival_ms: int
    raw: Optional[float]
    value: Optional[float]
    quality: str
    reasons: List[str]
    left_out: int = 0


@dataclass(frozen=True)
class Stats:
    """The statistics of at least one value."""

    n: int
    covered_ms: int
    first_at_ms: int
    last_at_ms: int
    mean: float
    m2: float
    min: float
    max: float
    first: float
    last: float
    integral: float


@dataclass(frozen=True)
class Sketch:
    """The distribution of a window's values: how many are in which bin."""

    level: int
    bins: Dict[int, int]

    def quantile(self, part: float, stats: Stats) -> float:
        """A number in the bin of the exact one, which is the least value with `part` of all values at or below it."""
        rank = min(max(1, math.ceil(part * stats.n)), sum(self.bins.values()))
        before = 0
        for key in sorted(self.bins):
            count = self.bins[key]
            if before + count >= rank:
                low, high = self.borders(key)
                low, high = max(low, stats.min), min(high, stats.max)
                return low + (high - low) * ((rank - before - 0.5) / count)
            before += count
        raise ValueError("a sketch of no value has no quantile")

    def borders(self, key: int) -> Tuple[float, float]:
        low, high = (double((abs(key) + step << self.level) << 40) for step in (0, 1))
        return (-high, high) if key == 0 else (low, high) if key > 0 else (-high, -low)

    def merge(self, other: "Sketch") -> "Sketch":
        """The sketch of the values of both."""
        level = max(self.level, other.level)
        while True:
            bins: Dict[int, int] = {}
            for sketch in (self, other):
                for key, count in sketch.bins.items():
                    key = int(math.copysign(abs(key) >> level - sketch.level, key))
                    bins[key] = bins.get(key, 0) + count
            if len(bins) <= BINS_MAX:
                return Sketch(level, bins)
            level += 1


@dataclass(frozen=True)
class Summary:
    """What became of one window; of several of the same window the one with the highest revision holds."""

    sensor: Sensor
    kind: str
    start_ms: int
    length_ms: int
    stats: Optional[Stats]
    uncertain: int
    bad: int
    ewma: Optional[float]
    revision: int
    partial: bool
    sketch: Optional[Sketch] = None
    clock: str = "synced"


@dataclass(frozen=True)
class Alert:
    """What became of an alarm, and how it stands."""

    id: int
    sensor: Sensor
    rule: str
    state: str
    severity: str
    at_ms: int
    since_ms: int
    value: Optional[float]
    limit: Optional[float]
    why: str
    kind: str = "limit"
    transition: str = "raised"
    standing: str = "unacknowledged"
    first_out: int = 0


@dataclass(frozen=True)
class Gap:
    """A range of sequences that will never come."""

    lane: str
    reason: str
    first: int
    last: int
    count: int


@dataclass(frozen=True)
class Message:
    """A decoded message: who wrote it, when, what is in it, and how far the times by the gateway's clock can be trusted."""

    kind: str
    gateway: str
    at_ms: int
    items: List[Union[Row, Summary, Alert, Gap]]
    clock: str = "synced"


def decode(message: bytes) -> Message:
    """Reads one message, which is the value of one Kafka record. Raises Malformed."""
    if not message:
        raise Malformed("the message is empty")
    if message[0] != VERSION:
        raise Malformed(f"format version {message[0]} is not known here")
    if len(message) < 5 or crc32c(message[:-4]) != int.from_bytes(message[-4:], "little"):
        raise Malformed("the checksum differs")
    cursor = Cursor(message[:-4])
    cursor.byte()
    mark = cursor.byte()
    kind, clock = named(KINDS, mark & 15, "kind"), named(CLOCKS, mark >> 4, "clock")
    gateway = cursor.text()
    at_ms = cursor.signed()
    items = list(BODIES[kind](cursor, at_ms))
    if cursor.rest():
        raise Malformed("bytes are left over behind the message")
    return Message(kind, gateway, at_ms, items, clock)


# --- the bodies -------------------------------------------------------------------------------------------------------


def read_telemetry(body: "Cursor", base: int) -> Iterator[Row]:
    """The dictionary, then a section for each column; a row takes one item out of each."""
    dictionary, marks, times, lags, values, raws = (body.section() for _ in range(6))
    mark = runs(marks)
    while dictionary.rest():
        sensor, count = read_group(dictionary)
        shape = times.byte()
        time_of = times_of_sensor(times, base, shape & 1)
        lag_of = lags_of_sensor(lags, shape >> 1)
        value_of, raw_of = Numbers(values), Numbers(raws)
        for _ in range(count):
            flags, content = divmod(next(mark), 8)
            time_ms = next(time_of)
            arrival_ms = wrapped(time_ms + next(lag_of))
            value = value_of.read() if content in (0, 2, 3) else None
            if content > 4:
                raise Malformed(f"kind of content {content}")
            raw = value if content == 0 else raw_of.read() if content in (1, 2) else None
            quality, reasons = QUALITIES[flags & 3], reasons_of(flags >> 2)
            yield Row(sensor, time_ms, arrival_ms, raw, value, quality, reasons, flags >> 18)
    if any(column.rest() for column in (marks, times, lags, values, raws)):
        raise Malformed("a column is longer than the dictionary says")


def reasons_of(bits: int) -> List[str]:
    return [name for bit, name in enumerate(REASONS) if bits >> bit & 1]


def runs(marks: "Cursor") -> Iterator[int]:
    while True:
        count, mark = marks.unsigned(), marks.unsigned()
        if count == 0:
            raise Malformed("empty run of marks")
        for _ in range(count):
            yield mark


def times_of_sensor(times: "Cursor", base: int, is_grid: int) -> Iterator[int]:
    """The start as difference to the base, the period; then distances from a grid, or steps less the period."""
    line = wrapped(base + times.signed())
    period = times.signed()
    time = line if not is_grid else wrapped(line + times.signed())
    while True:
        yield time
        line = wrapped((line if is_grid else time) + period)
        time = wrapped(line + times.signed())


def lags_of_sensor(lags: "Cursor", kind: int) -> Iterator[int]:
    """Arrival less time: one for all readings of the sensor, how much above the least, or the difference to the one before."""
    if kind > 2:
        raise Malformed(f"kind of lag column {kind}")
    lag = lags.signed() if kind < 2 else 0
    while True:
        if kind == 2:
            lag = wrapped(lag + lags.signed())
        yield wrapped(lag + lags.unsigned()) if kind == 1 else lag


class Numbers:
    """The numbers of one sensor: whole numbers over a power of ten, by their differences, or plain floats."""

    def __init__(self, column: "Cursor"):
        self.column = column
        self.scale = None
        self.has_level = False
        self.unit = 1
        self.whole = 0

    def read(self) -> float:
        if self.scale is None:
            self.open(self.column.byte())
        if self.scale == 0xFF:
            return self.column.float()
        whole = wrapped(self.whole + self.column.signed())
        if not self.has_level:
            self.whole = whole
        # A double divided by a double, as the writer does it; whole numbers above 2**53 never occur.
        return float(wrapped(whole * self.unit)) / float(10**self.scale)

    def open(self, scale: int):
        if scale != 0xFF:
            self.has_level, has_unit, scale = bool(scale & 0x10), bool(scale & 0x20), scale & ~0x30
            if scale > 9:
                raise Malformed(f"scale {scale}")
            self.unit = self.column.unsigned() if has_unit else 1
            self.whole = self.column.signed() if self.has_level else 0
        self.scale = scale


def read_aggregates(body: "Cursor", base: int) -> Iterator[Summary]:
    while body.rest():
        sensor, count = read_group(body)
        for _ in range(count):
            yield read_summary(body, base, sensor)


def read_summary(body: "Cursor", base: int, sensor: Sensor) -> Summary:
    marks = body.byte()
    if marks & 33 == 33:
        raise Malformed(f"marks of a summary {marks}")
    clock = named(CLOCKS, marks >> 6, "clock")
    start_ms = wrapped(base + body.signed())
    length_ms, revision, uncertain, bad = (body.unsigned() for _ in range(4))
    stats = read_stats(body, start_ms) if marks & 4 else None
    ewma = body.float() if marks & 8 else None
    sketch = read_sketch(body) if marks & 16 else None
    kind = "session" if marks & 32 else "sliding" if marks & 1 else "tumbling"
    partial = bool(marks & 2)
    return Summary(sensor, kind, start_ms, length_ms, stats, uncertain, bad, ewma, revision, partial, sketch, clock)


def read_sketch(body: "Cursor") -> Sketch:
    level, count = body.byte(), body.byte()
    if level > LEVEL_MAX or count > BINS_MAX:
        raise Malformed("sketch")
    bins: Dict[int, int] = {}
    key = 0
    for nth in range(count):
        step = body.unsigned() if nth else body.signed()
        key += step
        bins[key] = body.unsigned()
        if nth and step == 0 or abs(key) >> LEVEL_MAX - level or bins[key] == 0:
            raise Malformed("sketch")
    return Sketch(level, bins)


def read_stats(body: "Cursor", start_ms: int) -> Stats:
    n, covered_ms = body.unsigned(), body.unsigned()
    if n == 0:
        raise Malformed("statistics of no value")
    first_at_ms, last_at_ms = wrapped(start_ms + body.signed()), wrapped(start_ms + body.signed())
    return Stats(n, covered_ms, first_at_ms, last_at_ms, *(body.float() for _ in range(7)))


def read_alert(body: "Cursor", at_ms: int) -> Iterator[Alert]:
    identity, sensor_id = body.unsigned(), body.unsigned()
    sensor = Sensor(sensor_id, body.text(), body.text(), body.text())
    rule = body.text()
    state, severity = named(STATES, body.byte(), "state"), named(SEVERITIES, body.byte(), "severity")
    since_ms = wrapped(at_ms + body.signed())
    value, limit, why = body.option(), body.option(), body.text()
    end = ("limit", state, "unacknowledged" if state == "raised" else "normal", 0)
    if body.rest():
        kind, transition = named(ALERT_KINDS, body.byte(), "kind of an alarm"), named(TRANSITIONS, body.byte(), "transition")
        end = (kind, transition, named(STANDINGS, body.byte(), "standing"), body.unsigned())
    yield Alert(identity, sensor, rule, state, severity, at_ms, since_ms, value, limit, why, *end)


def read_gap(body: "Cursor", _at_ms: int) -> Iterator[Gap]:
    lane, reason = named(LANES, body.byte(), "lane"), named(GAP_REASONS, body.byte(), "reason of a gap")
    yield Gap(lane, reason, body.unsigned(), body.unsigned(), body.unsigned())


BODIES = {"telemetry": read_telemetry, "aggregates": read_aggregates, "alert": read_alert, "gap": read_gap}


def read_group(cursor: "Cursor"):
    """A sensor, and how many items of it follow."""
    sensor = Sensor(cursor.unsigned(), cursor.text(), cursor.text(), cursor.text())
    count = cursor.unsigned()
    if count == 0:
        raise Malformed("sensor without items")
    return sensor, count


# --- the smallest parts, in postcard's encoding -----------------------------------------------------------------------


class Cursor:
    """Takes parts off the front of bytes."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def rest(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if count > self.rest():
            raise Malformed("the message is cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    break
                return value
        raise Malformed("number above 64 bits")

    def signed(self) -> int:
        value = self.unsigned()
        return value >> 1 ^ -(value & 1)

    def float(self) -> float:
        return struct.unpack("<d", self.take(8))[0]

    def option(self) -> Optional[float]:
        mark = self.byte()
        if mark > 1:
            raise Malformed("mark of an optional number")
        return self.float() if mark else None

    def text(self) -> str:
        try:
            return self.take(self.unsigned()).decode()
        except UnicodeDecodeError as error:
            raise Malformed("text that is not UTF-8") from error

    def section(self) -> "Cursor":
        return Cursor(self.take(int.from_bytes(self.take(4), "little")))


def double(bits: int) -> float:
    """The number with these bits; the largest one where they are beyond it."""
    return struct.unpack("<d", struct.pack("<Q", min(bits, 0x7FEFFFFFFFFFFFFF)))[0]


def wrapped(value: int) -> int:
    """As a signed number of 64 bits: sums of times wrap around."""
    return (value + 2**63) % 2**64 - 2**63


def named(names, code: int, part: str) -> str:
    try:
        return names[code]
    except (KeyError, IndexError):
        raise Malformed(f"{part} {code}") from None


def _crc_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


CRC_TABLE = tuple(_crc_table())


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest = rest >> 8 ^ CRC_TABLE[(rest ^ byte) & 0xFF]
    return rest ^ 0xFFFFFFFF


# --- the program ------------------------------------------------------------------------------------------------------


def framed(stream) -> Iterator[bytes]:
    """Records with their length before them, four bytes, the most significant first, as kcat's %R%s writes them."""
    while head := stream.read(4):
        length = struct.unpack(">i", head)[0]
        if length >= 0:
            yield stream.read(length)


def printable(value):
    """JSON has no NaN and no infinity: they become text."""
    if isinstance(value, dict):
        return {key: printable(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def main(arguments: List[str]) -> int:
    if arguments in (["-h"], ["--help"]) or not arguments:
        print(__doc__)
        return 0 if arguments else 64
    if arguments == ["--framed"]:
        messages = framed(sys.stdin.buffer)
    else:
        messages = (open(path, "rb").read() for path in arguments)
    for bytes_of_message in messages:
        message = decode(bytes_of_message)
        for item in message.items:
            fields = {"message": message.kind, "gateway": message.gateway, "sealed_ms": message.at_ms, **asdict(item)}
            print(json.dumps(printable(fields)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
