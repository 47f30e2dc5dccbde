"""What a hostile or broken client may send, and the right answer to each.

A row is a name, the packets, and the answer of 3.1.1 and of 5.0: a reason code that the broker names before it closes, CLOSED
where it only closes (3.1.1 knows no other way, and neither version says anything to who never said CONNECT), or a function
that looks for itself.
"""

import struct
from typing import Callable, NamedTuple, Optional, Union

from raw import ANSWER_S_MAX, PINGRESP, PUBCOMP, PUBREL, V5, V311, Raw, Will, connect_packet, packet, properties, text, varint

CLOSED = "closed"
Answer = Union[int, str, None, Callable[[Raw], object]]
PROPERTY_BYTES = {V311: b"", V5: b"\x00"}


class Case(NamedTuple):
    """`data` gets the version and makes the bytes; an answer of None leaves the version out."""

    name: str
    data: Callable[[int], bytes]
    v311: Answer
    v5: Answer
    connects: bool = True


def publish(topic: bytes, first=0x30, number=b"", listed: Optional[dict] = None, payload=b"x"):
    def made(version: int) -> bytes:
        return packet(first, text(topic), number, properties(listed or {}) if version == V5 else b"", payload)

    return made


def subscribe(*parts: bytes, first=0x82, number=b"\x00\x07"):
    return lambda version: packet(first, number, PROPERTY_BYTES[version], *parts)


def connect(flags=2, name=b"MQTT", level=None, client_id=b"evil", rest=b"", listed=b"\x00"):
    def made(version: int) -> bytes:
        head = text(name) + bytes([level or version, flags, 0, 0])
        return packet(0x10, head, listed if version == V5 else b"", text(client_id), rest)

    return made


def plain(data: bytes):
    return lambda _version: data


CASES = [
    Case("no CONNECT first", plain(b"\xc0\x00"), CLOSED, CLOSED, False),
    Case("PUBLISH before CONNECT", publish(b"t"), CLOSED, CLOSED, False),
    Case("TLS on the plain port", plain(bytes.fromhex("1603010200010001fc0303") + bytes(500)), CLOSED, CLOSED, False),
    Case("HTTP on the MQTT port", plain(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"), CLOSED, CLOSED, False),
    Case("zeros", plain(bytes(64)), CLOSED, CLOSED, False),
    Case("CONNECT of 256 MB", plain(b"\x10\xff\xff\xff\x7f"), CLOSED, CLOSED, False),
    Case("CONNECT with a length of five bytes", plain(b"\x10\xff\xff\xff\xff\x01"), CLOSED, CLOSED, False),
    Case("CONNECT that is too short inside", lambda version: packet(0x10, text("MQTT"), bytes([version, 2])), CLOSED, 0x81, False),
    Case("another protocol", connect(name=b"hj"), CLOSED, CLOSED, False),
    Case("version 6", connect(level=6), None, 0x84, False),
    Case("version 3 by its new name", connect(level=3), 1, None, False),
    Case("CONNECT with its reserved flag", connect(flags=3), CLOSED, 0x81, False),
    Case("will of QoS 3", connect(flags=0x1E, rest=text("t") + text("x")), CLOSED, None, False),
    Case("will flags without a will", connect(flags=0x0A), CLOSED, 0x81, False),
    Case("client id that is not UTF-8", connect(client_id=b"\xff\xfe"), CLOSED, 0x81, False),
    Case("client id with a NUL", connect(client_id=b"a\x00b"), CLOSED, 0x81, False),
    Case("user name that is not UTF-8", connect(flags=0x82, rest=text(b"\xff")), CLOSED, 0x81, False),
    Case("user property that is not UTF-8", connect(listed=b"\x07\x26\x00\x01\xff\x00\x01v"), None, 0x81, False),
    Case("client id of 2 KB", connect(client_id=b"x" * 2048), 2, 0x85, False),
    Case("no client id, and a session to keep", connect(flags=0, client_id=b""), 2, 0, False),
    Case("no client id", connect(client_id=b""), 0, 0, False),
    Case("Receive Maximum 0", connect(listed=properties({0x21: 0})), None, 0x82, False),
    Case("the same property twice", connect(listed=properties({0x21: [1, 2]})), None, 0x82, False),
    Case("a property of another packet", connect(listed=properties({0x23: 1})), None, 0x81, False),
    Case("a property that does not exist", connect(listed=b"\x02\x7e\x00"), None, 0x81, False),
    Case("properties longer than the packet", connect(listed=b"\xff\xff\x7f"), None, 0x81, False),
    Case("authentication by AUTH", connect(listed=properties({0x15: b"SCRAM"})), None, 0x8C, False),
    Case("a second CONNECT", connect(), CLOSED, 0x82),
    Case("a packet of 256 MB", plain(b"\x30\xff\xff\xff\x7f"), CLOSED, 0x95),
    Case("a packet a byte too large", lambda version: b"\x30" + varint(65_536 - 3), CLOSED, 0x95),
    Case("a length of five bytes", plain(b"\x30\xff\xff\xff\xff\x01"), CLOSED, 0x81),
    Case("PUBLISH whose topic is longer than it", plain(b"\x30\x04\x00\x09ab"), CLOSED, 0x81),
    Case("PUBLISH of nothing", plain(b"\x30\x00"), CLOSED, 0x81),
    Case("topic that is not UTF-8", publish(b"a/\xff"), CLOSED, 0x81),
    Case("topic with an overlong slash", publish(b"a\xc0\xafb"), CLOSED, 0x81),
    Case("topic with a surrogate", publish(b"a\xed\xa0\x80"), CLOSED, 0x81),
    Case("topic with a NUL", publish(b"a\x00b"), CLOSED, 0x81),
    Case("topic with #", publish(b"a/#"), CLOSED, 0x90),
    Case("topic with +", publish(b"a/+/b"), CLOSED, 0x90),
    Case("topic without a character", publish(b""), CLOSED, 0x82),
    Case("topic of 2 KB", publish(b"x" * 2048), CLOSED, 0x90),
    Case("topic of 200 levels", publish(b"/" * 200), CLOSED, 0x90),
    Case("QoS 3", publish(b"t", 0x36, b"\x00\x01"), CLOSED, 0x81),
    Case("DUP at QoS 0", publish(b"t", 0x38), CLOSED, 0x81),
    Case("PUBLISH with packet id 0", publish(b"t", 0x32, b"\x00\x00"), CLOSED, 0x82),
    Case("alias 0", publish(b"t", listed={0x23: 0}), None, 0x94),
    Case("alias above the maximum", publish(b"t", listed={0x23: 60_000}), None, 0x94),
    Case("alias that was never set", publish(b"", listed={0x23: 1}), None, 0x82),
    Case("content type that is not UTF-8", publish(b"t", listed={0x03: b"\xc3"}), None, 0x81),
    Case("response topic with #", publish(b"t", listed={0x08: b"a/#"}), None, 0x82),
    Case("subscription identifier from a client", publish(b"t", listed={0x0B: 1}), None, 0x81),
    Case("SUBSCRIBE with packet id 0", subscribe(text("t") + b"\x00", number=b"\x00\x00"), CLOSED, 0x82),
    Case("SUBSCRIBE without a filter", subscribe(), CLOSED, 0x82),
    Case("SUBSCRIBE of what is not UTF-8", subscribe(text(b"\xff") + b"\x00"), CLOSED, 0x81),
    Case("SUBSCRIBE with wrong flags", subscribe(text("t") + b"\x00", first=0x80), CLOSED, 0x81),
    Case("SUBSCRIBE with QoS 3", subscribe(text("t") + b"\x03"), CLOSED, 0x82),
    Case("SUBSCRIBE with reserved bits", subscribe(text("t") + b"\xc0"), CLOSED, 0x81),
    Case("retain handling 3", subscribe(text("t") + b"\x30"), CLOSED, 0x82),
    Case("No Local in a group", subscribe(text("$share/g/t") + b"\x04"), CLOSED, 0x82),
    Case("UNSUBSCRIBE without a filter", subscribe(first=0xA2), CLOSED, 0x82),
    Case("UNSUBSCRIBE of what is not UTF-8", subscribe(text(b"\xff"), first=0xA2), CLOSED, 0x81),
    Case("UNSUBSCRIBE with wrong flags", subscribe(text("t"), first=0xA0), CLOSED, 0x81),
    Case("PUBREL with wrong flags", plain(packet(0x60, b"\x00\x01")), CLOSED, 0x81),
    Case("PINGREQ with a body", plain(b"\xc0\x01\x00"), CLOSED, 0x81),
    Case("a packet kind that does not exist", plain(b"\x00\x00"), CLOSED, 0x81),
    Case("a CONNACK from a client", plain(b"\x20\x02\x00\x00"), CLOSED, 0x82),
    Case("AUTH", plain(b"\xf0\x00"), CLOSED, 0x82),
    Case("DISCONNECT with flags", plain(b"\xe1\x00"), CLOSED, 0x81),
    Case("DISCONNECT with a body", plain(b"\xe0\x01\x77"), CLOSED, 0x81),
]


def check_filters(client: Raw) -> object:
    """Filters that are none are refused one by one, and the connection goes on."""
    found = client.subscribe(("a/#/b", 0), ("a+", 0), ("", 0), ("x" * 2048, 0), ("/" * 200, 0), ("fine", 1))
    bad = 0x8F if client.version == V5 else 0x80
    return found == [bad] * 5 + [1] or found


def check_unknown_ids(client: Raw) -> object:
    """Acknowledgements of nothing change nothing; PUBREL for nothing is answered."""
    for kind in (0x40, 0x50, 0x70):
        client.send(packet(kind, b"\x12\x34"))
    # PUBREC for nothing is answered by PUBREL, in 5.0 with a reason.
    assert client.wait(PUBREL).body[:2] == b"\x12\x34"
    client.send(packet(0x62, b"\x12\x34"))
    got = client.wait(PUBCOMP)
    return got.body == b"\x12\x34" + (b"\x92" if client.version == V5 else b"") or got


def check_other_alphabets(client: Raw) -> object:
    """Topics are any characters."""
    names = ("温度/1", "датчик/давление", "🌡/°C", "a b/\u00a0", "\ufeffx/y", "e\u0301")
    client.subscribe(*((name, 1) for name in names), ("温度/+", 1))
    for name in names:
        client.publish(name, name.encode(), 1)
    found = [(message.topic, message.payload.decode()) for message in client.gather(len(names))]
    return found == [(name, name) for name in names] or found


def check_pieces(client: Raw) -> object:
    """Packets may come byte by byte, or many at once."""
    client.subscribe(("pieces", 0))
    for number in range(20):
        for byte in client.publish_packet("pieces", b"%d" % number):
            client.send(bytes([byte]))
    client.send(b"".join(client.publish_packet("pieces", b"%d" % number) for number in range(20, 60)))
    found = [int(message.payload) for message in client.gather(60)]
    return found == list(range(60)) or found


def check_ping(client: Raw) -> object:
    client.send(packet(0xC0))
    return client.wait(PINGRESP) is not None


def check_kept_will(client: Raw) -> object:
    port = client.socket.getpeername()[1]
    with Raw(port, client.version) as dying:
        dying.connect("dying", will=Will("wills/kept", b"gone", 1, True))
    client.subscribe(("wills/kept", 1))
    found = client.gather(1)
    client.publish("wills/kept", b"", 1, True)
    return [message.payload for message in found] == [b"gone"] or found


GENTLE = [
    ("PINGREQ is answered", check_ping),
    ("a will that is retained", check_kept_will),
    ("filters that are none", check_filters),
    ("acknowledgements of nothing", check_unknown_ids),
    ("topics such as 温度/1", check_other_alphabets),
    ("packets in pieces", check_pieces),
]


def answer(client: Raw) -> object:
    """What the broker says before it closes: the reason of CONNACK or DISCONNECT, or that it says nothing."""
    # Half a packet is an answer that comes with the connect time-out.
    got = client.frame(2 * ANSWER_S_MAX)
    if got is None:
        return CLOSED
    if got.kind == 2:
        reason = got.body[1]
        if reason and client.frame() is not None:
            return "goes on after a refusal"
        return reason
    return got.body[0] if got.kind == 14 and got.body else f"packet kind {got.kind}"


def open_client(port: int, version: int, name: str) -> Raw:
    client = Raw(port, version)
    client.send(connect_packet(name, version))
    got = client.frame()
    assert got is not None and got.body[1] == 0, got
    return client
