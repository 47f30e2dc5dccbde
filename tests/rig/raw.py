"""MQTT as bytes: a client that says what it is told, right or wrong, and shows what comes back."""

import socket
import struct
import time
from typing import List, NamedTuple, Optional, Tuple

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)
ANSWER_S_MAX = 5.0
V311, V5 = 4, 5
# Properties by their bytes: fixed widths, or how they are read.
WIDTHS = {
    0x01: 1, 0x02: 4, 0x0B: "varint", 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1,
    0x25: 1, 0x26: "pair", 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([first]) + varint(len(body)) + body


def properties(listed: dict) -> bytes:
    """Numbers by their width, strings with their length, lists as the same property again."""
    out = b""
    for key, values in listed.items():
        for value in values if isinstance(values, list) else [values]:
            width = WIDTHS.get(key)
            if width == "varint":
                out += bytes([key]) + varint(value)
            elif width == "pair":
                out += bytes([key]) + text(value[0]) + text(value[1])
            elif width:
                out += bytes([key]) + value.to_bytes(width, "big")
            else:
                out += bytes([key]) + text(value)
    return varint(len(out)) + out


class Will(NamedTuple):
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: dict = {}


def connect_packet(client_id, version=V311, clean=True, keep_alive=0, listed=None, will=None, user=None, password=None):
    flags = (0x02 if clean else 0) | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    v5 = version == V5
    rest = text(client_id)
    if will:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        rest += (properties(will.properties) if v5 else b"") + text(will.topic) + text(will.payload)
    rest += text(user) if user is not None else b""
    rest += text(password) if password is not None else b""
    head = text("MQTT") + bytes([version, flags]) + struct.pack(">H", keep_alive)
    return packet(0x10, head, properties(listed or {}) if v5 else b"", rest)


class Got(NamedTuple):
    """A packet from the broker."""

    kind: int
    flags: int
    body: bytes


class Reader:
    """Walks over the bytes of a packet."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def text(self) -> bytes:
        return self.take(self.number(2))

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def properties(self) -> dict:
        end = self.varint()
        end += self.at
        found: dict = {}
        while self.at < end:
            key = self.number(1)
            width = WIDTHS.get(key)
            if width == "varint":
                found.setdefault(key, []).append(self.varint())
            elif width == "pair":
                found.setdefault(key, []).append((self.text().decode(), self.text().decode()))
            else:
                found[key] = self.number(width) if width else self.text()
        return found


class Message(NamedTuple):
    """A PUBLISH from the broker."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    packet_id: int
    properties: dict


class Connack(NamedTuple):
    present: bool
    reason: int
    properties: dict


class Raw:
    """One connection. `ask` packets are checked for their answer; PUBLISHes that come between are kept in `messages`."""

    def __init__(self, port: int, version: int = V311, source: str = ""):
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_S_MAX, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.messages: List[Message] = []
        self.answers: List[Got] = []
        self.acknowledge = True
        self.next_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def send(self, data: bytes):
        self.socket.sendall(data)

    def drop(self):
        self.socket.close()

    def frame(self, seconds: float = ANSWER_S_MAX) -> Optional[Got]:
        """The next packet; None once the broker has closed. TimeoutError if neither happens."""
        until = time.monotonic() + seconds
        while True:
            found = self._cut()
            if found:
                return found
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self.buffer += data

    def _cut(self) -> Optional[Got]:
        length = shift = 0
        for at in range(1, min(len(self.buffer), 5)):
            length |= (self.buffer[at] & 0x7F) << shift
            shift += 7
            if self.buffer[at] < 0x80:
                end = at + 1 + length
                if len(self.buffer) < end:
                    return None
                body, first = self.buffer[at + 1 : end], self.buffer[0]
                self.buffer = self.buffer[end:]
                return Got(first >> 4, first & 15, body)
        return None

    def wait(self, kind: int, seconds: float = ANSWER_S_MAX) -> Optional[Got]:
        """The next packet of this kind; what else comes is kept, and acknowledged unless `acknowledge` is off."""
        until = time.monotonic() + seconds
        while True:
            for number, answer in enumerate(self.answers):
                if answer.kind == kind:
                    return self.answers.pop(number)
            got = self.frame(max(until - time.monotonic(), 0.001))
            if got is None:
                return None
            self._keep(got)

    def _keep(self, got: Got):
        if got.kind != PUBLISH:
            if got.kind == PUBREL and self.acknowledge:
                self.send(packet(0x70, got.body[:2]))
            elif got.kind == PUBREC and self.acknowledge and (len(got.body) < 3 or got.body[2] < 0x80):
                self.send(packet(0x62, got.body[:2]))
            self.answers.append(got)
            return
        message = self.message(got)
        self.messages.append(message)
        if message.qos and self.acknowledge:
            self.send(packet(0x40 if message.qos == 1 else 0x50, struct.pack(">H", message.packet_id)))

    def message(self, got: Got) -> Message:
        reader = Reader(got.body)
        qos = got.flags >> 1 & 3
        topic = reader.text().decode()
        packet_id = reader.number(2) if qos else 0
        listed = reader.properties() if self.version == V5 else {}
        return Message(topic, got.body[reader.at :], qos, bool(got.flags & 1), bool(got.flags & 8), packet_id, listed)

    def gather(self, count: int, seconds: float = 2.0) -> List[Message]:
        """Messages until there are so many, or time is over; takes them out."""
        until = time.monotonic() + seconds
        while len(self.messages) < count and time.monotonic() < until:
            try:
                got = self.frame(max(until - time.monotonic(), 0.001))
            except TimeoutError:
                break
            if got is None:
                break
            self._keep(got)
        taken, self.messages = self.messages, []
        return taken

    def connect(self, client_id="", clean=True, keep_alive=0, listed=None, will=None, user=None, password=None) -> Connack:
        self.send(connect_packet(client_id, self.version, clean, keep_alive, listed, will, user, password))
        got = self.frame()
        if got is None or got.kind != CONNACK:
            raise ConnectionError(f"no CONNACK but {got}")
        reader = Reader(got.body)
        present, reason = bool(reader.number(1)), reader.number(1)
        return Connack(present, reason, reader.properties() if self.version == V5 else {})

    def fresh_id(self) -> int:
        self.next_id = self.next_id % 65_000 + 1
        return self.next_id

    def publish_packet(self, topic, payload: bytes, qos=0, retain=False, listed=None, packet_id=None, dup=False) -> bytes:
        packet_id = packet_id or (self.fresh_id() if qos else 0)
        number = struct.pack(">H", packet_id) if qos else b""
        listed_bytes = properties(listed or {}) if self.version == V5 else b""
        first = 0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0)
        return packet(first, text(topic), number, listed_bytes, payload)

    def publish(self, topic, payload: bytes = b"", qos=0, retain=False, listed=None) -> int:
        """Publishes and waits until it is acknowledged for good; the reason code."""
        self.send(self.publish_packet(topic, payload, qos, retain, listed))
        if not qos:
            return 0
        if qos == 2:
            got = self.wait(PUBREC)
            if got and len(got.body) > 2 and got.body[2] >= 0x80:
                return got.body[2]
        got = self.wait(PUBACK if qos == 1 else PUBCOMP)
        if got is None:
            raise ConnectionError("closed before the acknowledgement")
        return got.body[2] if len(got.body) > 2 else 0

    def subscribe(self, *filters: Tuple[str, int], listed=None) -> List[int]:
        """Filters with their options; the codes of the SUBACK."""
        head = struct.pack(">H", self.fresh_id()) + (properties(listed or {}) if self.version == V5 else b"")
        self.send(packet(0x82, head, *(text(name) + bytes([options]) for name, options in filters)))
        return self._codes(SUBACK)

    def unsubscribe(self, *filters: str) -> List[int]:
        head = struct.pack(">H", self.fresh_id()) + (properties({}) if self.version == V5 else b"")
        self.send(packet(0xA2, head, *(text(name) for name in filters)))
        return self._codes(UNSUBACK)

    def _codes(self, kind: int) -> List[int]:
        got = self.wait(kind)
        if got is None:
            raise ConnectionError("closed instead of an answer")
        reader = Reader(got.body)
        reader.take(2)
        if self.version == V5:
            reader.properties()
        return list(got.body[reader.at :])

    def disconnect(self, reason=0, listed=None):
        self.send(packet(0xE0, bytes([reason]), properties(listed or {})) if self.version == V5 else packet(0xE0))
        self.socket.settimeout(ANSWER_S_MAX)
        try:
            while self.socket.recv(4096):
                pass
        except OSError:
            pass
        self.drop()

    def disconnected(self, seconds: float = ANSWER_S_MAX) -> Optional[int]:
        """The reason of the broker's DISCONNECT; None if it closes without one."""
        got = self.wait(DISCONNECT, seconds)
        return (got.body[0] if got.body else 0) if got else None
