"""Each limit: what meets it is refused, and the refusal is counted by its reason, for all to see at GET /metrics."""

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterable, List, NamedTuple, Tuple
from urllib.error import HTTPError
from urllib.request import urlopen

from gateway import Gateway, free_port
from raw import DISCONNECT, PUBACK, V5, Raw, connect_packet, packet, text

BROKER = """connections_max = 60
connections_per_address_max = 50
connections_per_user_max = 30
sessions_max = 40
packet_bytes_max = "16KiB"
connect_timeout = "500ms"
slow_reader_timeout = "500ms"
"""
HTTP = """
[http]
listen = "127.0.0.1:{port}"
connections_max = 4
body_bytes_max = "1KiB"
"""
# Whose disk is asked once in two seconds: posts wait for it.
BUSY_STORE = 'commit_interval = "2s"'
BUSY_HTTP = """
[http]
listen = "127.0.0.1:{port}"
"""
POSTS_MAX = 32
# Long enough for a case, and gone before it fills the table of sessions.
LASTS = {0x11: 2}
LASTS_LONG = {0x11: 60}
WAIT_S_MAX = 10
# The gateway waits for 15 s.
BODY_S_MAX = 25


class Site(NamedTuple):
    mqtt: int
    http: int

    def connected(self, name: str, **options) -> Raw:
        client = Raw(self.mqtt, V5, options.pop("source", ""))
        client.connect(name, **options)
        return client

    def refused(self, reason: str) -> int:
        with urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=WAIT_S_MAX) as answer:
            lines = answer.read().decode().splitlines()
        return next(int(line.split()[-1]) for line in lines if f'reason="{reason}"' in line)

    def post(self, body: bytes) -> Tuple[int, str]:
        """Its status, and when to come again."""
        try:
            with urlopen(f"http://127.0.0.1:{self.http}/v1/telemetry/d", body, WAIT_S_MAX) as answer:
                return answer.status, ""
        except HTTPError as error:
            with error:
                return error.code, error.headers.get("Retry-After", "")

    def serves(self) -> bool:
        """Somebody who does nothing wrong is served."""
        with self.connected("good") as client:
            client.subscribe(("good", 1))
            reason = client.publish("good", b"round", 1)
            return reason == 0 and [message.payload for message in client.gather(1)] == [b"round"]

    def lasting(self, name: str) -> Raw:
        return self.connected(name, listed=LASTS_LONG)

    def forget(self, names: Iterable[str]):
        """Ends these sessions."""
        for name in names:
            self.connected(name).disconnect()


def check_reason(client: Raw, reason: int):
    got = client.wait(DISCONNECT)
    assert got is not None and got.body[0] == reason, got


def connections(site: Site):
    find_no_place(Raw(site.mqtt, source=f"127.4.0.{number // 40 + 1}") for number in range(61))


def connections_of_an_address(site: Site):
    find_no_place(Raw(site.mqtt) for _ in range(51))


def find_no_place(clients: Iterable[Raw]):
    """The last is turned away while the others still hold their places: none is dropped before the gateway has seen them all."""
    clients = list(clients)
    assert clients[-1].frame() is None
    open_and_drop(clients)


def open_and_drop(clients: Iterable[Raw]):
    for client in list(clients):
        client.drop()


def connections_of_a_user(site: Site):
    """Whoever has no name is one user."""
    clients = [Raw(site.mqtt, V5) for _ in range(31)]
    reasons = [client.connect(f"user-{number}").reason for number, client in enumerate(clients)]
    open_and_drop(clients)
    assert reasons == [0] * 30 + [0x97], reasons


def sessions(site: Site):
    reasons = []
    for number in range(41):
        with Raw(site.mqtt, V5) as client:
            reasons.append(client.connect(f"lasting-{number}", listed=LASTS).reason)
    assert reasons[-1] == 0x97, reasons
    time.sleep(2.5)


def first_packet(site: Site):
    """Is known by its first byte, long before the connect time-out."""
    with Raw(site.mqtt) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert client.frame() is None


def connect_time(site: Site):
    with Raw(site.mqtt) as client:
        assert client.frame() is None


def packet_bytes(site: Site):
    with site.connected("large") as client:
        client.send(b"\x30\xff\xff\x03")
        check_reason(client, 0x95)


def topic_levels(site: Site):
    with site.connected("deep") as client:
        client.send(client.publish_packet("/" * 65, b""))
        check_reason(client, 0x90)


def topic_aliases(site: Site):
    with site.connected("aliases") as client:
        client.send(client.publish_packet("t", b"", listed={0x23: 60_000}))
        check_reason(client, 0x94)


def subscriptions(site: Site):
    with site.connected("many") as client:
        codes = client.subscribe(*((f"many/{number}", 0) for number in range(257)))
        assert codes == [0] * 256 + [0x97], codes[-2:]


def subscriptions_of_all(site: Site):
    """Of which there are 8192, so that 32 sessions may have all that one may have. Nobody's are taken from him."""
    names = [f"subscriber-{number}" for number in range(33)]
    codes = []
    for name in names:
        with site.lasting(name) as client:
            codes.append(client.subscribe(*((f"all/{number}", 1) for number in range(256))))
    assert codes[:32] == [[0x01] * 256] * 32, [set(it) for it in codes]
    assert codes[32] == [0x97] * 256, set(codes[32])
    with site.connected(names[0], clean=False, listed=LASTS_LONG) as client:
        assert client.publish("all/7", b"to all", 1) == 0
        assert [message.payload for message in client.gather(1)] == [b"to all"]
    site.forget(names)


def filter_bytes(site: Site):
    with site.connected("long") as client:
        assert client.subscribe(("x" * 1025, 0)) == [0x8F]


def retained(site: Site):
    """Of which there is room for 4 MiB."""
    with site.connected("keeper") as client:
        reasons = {client.publish(f"kept/{number}", bytes(15_000), 1, True) for number in range(300)}
        assert 0x97 in reasons, reasons
        for number in range(300):
            client.publish(f"kept/{number}", b"", 1, True)


def queued(site: Site):
    """A session keeps 1000 messages."""
    with site.connected("away", listed=LASTS) as client:
        client.subscribe(("queue", 1))
    with site.connected("talker") as client:
        for _ in range(11):
            client.send(b"".join(client.publish_packet("queue", b"", 1) for _ in range(100)))
            for _ in range(100):
                client.wait(PUBACK)


def store_bytes(site: Site):
    """Of the 8 MiB for messages that wait a session has a MiB; the last quarter is shared out by 16 messages each."""
    names = [f"absent-{number}" for number in range(30)]
    for name in names:
        with site.lasting(name) as client:
            client.subscribe((name, 1))
    with site.connected("talker") as client:
        for name in names:
            client.send(b"".join(client.publish_packet(name, bytes(15_000), 1) for _ in range(66)))
            assert all(client.wait(PUBACK) for _ in range(66))
    site.forget(names)


def in_flight(site: Site):
    with site.connected("eager") as client:
        client.send(b"".join(client.publish_packet("sensors/d/t", b"1", 1) for _ in range(1_000)))
        check_reason(client, 0x93)


def receive_size(site: Site):
    with site.connected("small", listed={0x27: 100}) as small, site.connected("talker") as client:
        small.subscribe(("large", 0))
        client.publish("large", bytes(200), 1)


def send_buffer(site: Site):
    """Of a client that takes nothing, at QoS 0."""
    flood(site, 0)


def slow_reader(site: Site):
    flood(site, 1.5)


def flood(site: Site, seconds: float):
    with socket.create_connection(("127.0.0.1", site.mqtt)) as stuck, site.connected("flood") as client:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stuck.sendall(connect_packet("stuck") + packet(0x82, b"\x00\x01", text("stuck") + b"\x00"))
        time.sleep(0.2)
        for _ in range(600):
            client.publish("stuck", bytes(15_000), 1)
        time.sleep(seconds)


def keep_alive(site: Site):
    with site.connected("silent", keep_alive=1) as client:
        check_reason(client, 0x8D)


def bodies(site: Site):
    assert site.post(bytes(2_000)) == (413, "")


def http_connections(site: Site):
    peers = [socket.create_connection(("127.0.0.1", site.http)) for _ in range(6)]
    time.sleep(0.2)
    for peer in peers:
        peer.close()
    time.sleep(0.2)


def posts(site: Site):
    """More than wait for the disk at a time are told when to come again; the others are taken."""
    with ThreadPoolExecutor(POSTS_MAX + 8) as pool:
        answers = Counter(pool.map(site.post, [b'{"values": {"t": 1}}'] * (POSTS_MAX + 8)))
    assert set(answers) == {(202, ""), (429, "1")} and answers[202, ""] >= POSTS_MAX, answers


def slow_body(site: Site):
    with socket.create_connection(("127.0.0.1", site.http), BODY_S_MAX) as peer:
        peer.sendall(b"POST /v1/telemetry/d HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\n{")
        assert peer.recv(4096).startswith(b"HTTP/1.1 408 ")


class Limit(NamedTuple):
    name: str
    meet: Callable[[Site], None]
    reason: str


LIMITS = [
    Limit("connections_max", connections, "connections_full"),
    Limit("connections_per_address_max", connections_of_an_address, "address_full"),
    Limit("connections_per_user_max", connections_of_a_user, "user_full"),
    Limit("sessions_max", sessions, "sessions_full"),
    Limit("first packet", first_packet, "packets_out_of_protocol"),
    Limit("connect_timeout", connect_time, "connects_timed_out"),
    Limit("keep-alive", keep_alive, "keep_alives_expired"),
    Limit("packet_bytes_max", packet_bytes, "packets_oversize"),
    Limit("levels of a topic", topic_levels, "topics_invalid"),
    Limit("topic aliases", topic_aliases, "topic_aliases_invalid"),
    Limit("bytes of a filter", filter_bytes, "filters_invalid"),
    Limit("subscriptions of a session", subscriptions, "subscriptions_full"),
    Limit("subscriptions of all sessions", subscriptions_of_all, "subscriptions_full"),
    Limit("retained bytes", retained, "retained_full"),
    Limit("messages queued for a session", queued, "dropped_queue_full"),
    Limit("bytes of messages that wait", store_bytes, "dropped_store_full"),
    Limit("messages in flight from a client", in_flight, "receive_maximum_exceeded"),
    Limit("packet size of a client", receive_size, "dropped_too_large"),
    Limit("bytes that wait for a client", send_buffer, "dropped_send_buffer_full"),
    Limit("slow_reader_timeout", slow_reader, "slow_readers"),
    Limit("http.body_bytes_max", bodies, "http_bodies_too_large"),
    Limit("http.connections_max", http_connections, "http_connections_full"),
]
LIMITS_OF_A_BUSY_ONE = [
    Limit("posts that wait for the disk", posts, "http_busy"),
    Limit("time of a body", slow_body, "http_bodies_slow"),
]


def check_limits(table, folder: Path):
    check_site(table, folder, "limits", LIMITS, HTTP, broker=BROKER)
    check_site(table, folder, "busy", LIMITS_OF_A_BUSY_ONE, BUSY_HTTP, store=BUSY_STORE)


def check_site(table, folder: Path, name: str, limits: List[Limit], settings: str, broker: str = "", store: str = ""):
    http = free_port()
    gateway = Gateway(folder, name, "", settings.format(port=http), store=store)
    gateway.config.write_text(gateway.config.read_text().replace("[store]", broker + "\n[store]"))
    gateway.start()
    site = Site(gateway.port, http)
    for limit in limits:
        before = site.refused(limit.reason)
        try:
            limit.meet(site)
            problem = ""
        except (AssertionError, OSError) as error:
            problem = repr(error)
        until = time.monotonic() + WAIT_S_MAX
        while (counted := site.refused(limit.reason) - before) == 0 and time.monotonic() < until:
            time.sleep(0.05)
        table.check(f"{limit.name}: counted as {limit.reason}", counted > 0 and not problem, problem or counted)
        if not site.serves():
            table.check(f"{limit.name}: the rest lives on", False)
    peak, ceiling = gateway.peak_kib(), gateway.ceiling_kib()
    table.check("memory stayed below the bill", 0 < peak <= ceiling, f"{peak} of {ceiling} KiB")
    table.equal("the gateway stops in order", gateway.stop(), 0)
