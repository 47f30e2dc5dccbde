"""What the interoperability suites of Eclipse Paho demand of a broker, in our words, one function each.

The names are the suites' (`interoperability/client_test.py` for 3.1.1, `client_test5.py` for 5.0). Their topics, client ids
and pauses are kept where a broker could tell the difference.
"""

import struct
import time
from contextlib import contextmanager

from raw import CONNACK, PUBACK, V5, V311, Raw, Will, connect_packet, packet

A, B = "myclientid", "myclientid2"
TOPICS = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
PLUS_PLUS, UNDER_A, ONE_UNDER_A = "+/+", "TopicA/#", "TopicA/+"
EXPIRY, RECEIVE_MAX, ALIAS_MAX, PACKET_MAX, ALIAS = 0x11, 0x21, 0x22, 0x27, 0x23
PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE, CORRELATION = 0x01, 0x02, 0x03, 0x08, 0x09
SUBSCRIPTION_ID, ASSIGNED, SERVER_KEEP_ALIVE, WILL_DELAY, USER = 0x0B, 0x12, 0x13, 0x18, 0x26
PAIRS = [("a", "2"), ("c", "3")]


class Suite:
    """The demands on one version, each a method whose name begins with `demand_`."""

    version = V311

    def __init__(self, port: int):
        self.port = port

    @contextmanager
    def client(self, name=A, clean=True, listed=None, **more):
        with Raw(self.port, self.version) as client:
            client.connack = client.connect(name, clean, listed=listed, **more)
            assert client.connack.reason == 0, f"CONNACK says {client.connack.reason:#x}"
            yield client

    def lasting(self, seconds=99_999):
        """How a client asks for a session that lasts."""
        return {EXPIRY: seconds} if self.version == V5 else None

    def clean_up(self):
        """As the suites do: sessions made anew, and every retained message that `#` shows published over."""
        for name in (A, B):
            with self.client(name) as client:
                client.disconnect()
        with self.client("clean retained") as client:
            client.subscribe(("#", 0))
            for message in client.gather(1_000, 0.5):
                if message.retain or self.version == V5:
                    client.send(client.publish_packet(message.topic, b"", 0, True))
            client.disconnect()

    def demand_basic(self):
        with self.client() as client:
            client.disconnect()
        with self.client() as client:
            assert not client.connack.present
            client.subscribe((TOPICS[0], 2))
            for qos in range(3):
                client.publish(TOPICS[0], b"%d" % qos, qos)
            assert sorted(message.qos for message in client.gather(3)) == [0, 1, 2]
            client.disconnect()
        with self.client() as client:
            client.send(connect_packet(A, self.version))
            got = client.frame()
            assert got is None or got.kind != CONNACK, "a second CONNECT was answered"
        with Raw(self.port, self.version) as client:
            client.send(packet(0x10, struct.pack(">H", 2), b"hj", bytes([self.version, 2, 0, 0]), bytes(3)))
            got = client.frame()
            assert got is None or (got.kind == CONNACK and got.body[1]), "another protocol's name was taken"

    def demand_retained_messages(self):
        listed = {USER: PAIRS} if self.version == V5 else None
        with self.client() as client:
            for qos in range(3):
                client.publish(TOPICS[qos + 1], b"qos %d" % qos, qos, True, listed)
            client.subscribe((PLUS_PLUS, 2))
            found = client.gather(4, 1)
            assert sorted(message.qos for message in found) == [0, 1, 2] and all(message.retain for message in found), found
            assert self.version == V311 or all(message.properties[USER] == PAIRS for message in found), found
        with self.client() as client:
            for qos in range(3):
                client.publish(TOPICS[qos + 1], b"", qos, True)
            client.subscribe((PLUS_PLUS, 2))
            assert not client.gather(1, 1)

    def demand_offline_message_queueing(self):
        with self.client(clean=self.version == V5, listed=self.lasting()) as client:
            client.subscribe((PLUS_PLUS, 2))
            client.disconnect()
        with self.client(B) as client:
            for qos in range(3):
                client.publish(TOPICS[qos + 1], b"qos %d" % qos, qos)
            client.disconnect()
        with self.client(clean=False) as client:
            assert client.connack.present
            assert len(client.gather(4, 1)) in (2, 3)
            client.disconnect()

    def demand_will_message(self):
        # Lost after one and a half times its keep-alive, at the latest.
        will = Will(TOPICS[2], b"will message", 2, properties={WILL_DELAY: 0, USER: PAIRS})
        with self.client(keep_alive=2, will=will), self.client(B, clean=False) as other:
            other.subscribe((TOPICS[2], 2))
            found = other.gather(1, 10)
            assert [message.payload for message in found] == [b"will message"], found
            assert self.version == V311 or found[0].properties[USER] == PAIRS

    def demand_overlapping_subscriptions(self):
        with self.client() as client:
            client.subscribe((UNDER_A, 2), (ONE_UNDER_A, 1))
            client.publish(TOPICS[3], b"overlapping topic filters", 2)
            found = sorted(message.qos for message in client.gather(3, 1))
            assert found in ([2], [1, 2]), found

    def demand_keepalive(self):
        will = Will(TOPICS[4], b"keepalive expiry")
        with self.client(keep_alive=5, will=will), self.client(B) as other:
            other.subscribe((TOPICS[4], 2))
            assert len(other.gather(2, 9)) == 1

    def demand_redelivery_on_reconnect(self):
        with self.client(B, clean=False, listed=self.lasting()) as client:
            client.subscribe((UNDER_A, 2))
            client.acknowledge = False
            client.send(client.publish_packet(TOPICS[1], b"1", 1) + client.publish_packet(TOPICS[3], b"2", 2))
            assert len(client.gather(2)) == 2
            client.disconnect()
        with self.client(B, clean=False, listed=self.lasting()) as client:
            found = client.gather(3, 1)
            assert sorted(message.payload for message in found) == [b"1", b"2"] and all(message.dup for message in found), found
            client.disconnect()
        with self.client(B):
            pass

    def demand_subscribe_failure(self):
        with self.client() as client:
            assert client.subscribe(("test/nosubscribe", 2)) == [0x80]

    def demand_dollar_topics(self):
        with self.client(B) as client:
            client.subscribe((PLUS_PLUS, 2))
            client.gather(1, 0.5)
            assert client.publish("$" + TOPICS[1], b"", 1) < 0x80
            assert not client.gather(1, 0.3)
            client.disconnect()

    def demand_unsubscribe(self):
        with self.client(B) as client, self.client() as other:
            for topic in TOPICS[:3]:
                client.subscribe((topic, 2))
            client.unsubscribe(TOPICS[0])
            client.gather(1, 0.3)
            for topic in TOPICS[:3]:
                other.publish(topic, b"x", 1)
            assert len(client.gather(3, 1)) == 2


class Suite311(Suite):
    """client_test.py."""

    def demand_zero_length_clientid(self):
        with Raw(self.port) as client:
            assert client.connect("", clean=False).reason == 2
        with self.client(""):
            pass


class Suite5(Suite):
    """client_test5.py."""

    version = V5

    def demand_zero_length_clientid(self):
        for clean in (False, True):
            with self.client("", clean=clean) as client:
                client.disconnect()

    def demand_assigned_clientid(self):
        with self.client("") as client:
            assert client.connack.properties[ASSIGNED]

    def demand_session_expiry(self):
        def life(expiry, clean, present, last=None):
            with self.client(clean=clean, listed={EXPIRY: expiry}) as client:
                assert client.connack.present == present, f"session present is {client.connack.present}"
                client.subscribe((TOPICS[0], 2))
                client.disconnect(listed=last)

        life(0, True, False)
        life(0, False, False)
        life(5, True, False)
        time.sleep(2)
        life(5, False, True)
        time.sleep(6)
        life(5, False, False)
        life(1, True, False, {EXPIRY: 5})
        time.sleep(3)
        life(1, False, True, {EXPIRY: 0})
        life(1, False, False)

    def _passed_on(self, listed: dict):
        with self.client() as client:
            client.subscribe((TOPICS[0], 2))
            for qos in range(3):
                client.publish(TOPICS[0], b"", qos, listed=listed)
            found = client.gather(3)
            assert sorted(message.qos for message in found) == [0, 1, 2]
            for message in found:
                assert {key: message.properties[key] for key in listed} == listed, message

    def demand_user_properties(self):
        self._passed_on({USER: PAIRS})

    def demand_payload_format(self):
        self._passed_on({PAYLOAD_FORMAT: 1, CONTENT_TYPE: b"My name"})

    def demand_publication_expiry(self):
        with self.client(B, listed=self.lasting()) as client:
            client.subscribe((TOPICS[0], 2))
            client.disconnect(listed={EXPIRY: 999_999_999})
        with self.client() as client:
            for seconds in (1, 6):
                for qos in (1, 2):
                    client.publish(TOPICS[0], b"%d" % seconds, qos, listed={MESSAGE_EXPIRY: seconds})
        time.sleep(3)
        with self.client(B, clean=False) as client:
            found = client.gather(3, 1)
            assert [message.payload for message in found] == [b"6", b"6"], found
            assert all(message.properties[MESSAGE_EXPIRY] < 6 for message in found), found

    def demand_subscribe_options(self):
        no_local, as_published = 0x04, 0x08
        with self.client() as one, self.client(B) as two:
            one.subscribe((TOPICS[0], 2 | no_local))
            two.subscribe((TOPICS[0], 2 | no_local))
            one.publish(TOPICS[0], b"noLocal test", 1)
            assert len(two.gather(2, 1)) == 1 and not one.gather(1, 0.2)
        with self.client() as client:
            client.subscribe((TOPICS[0], 2 | as_published))
            client.publish(TOPICS[0], b"x", 1)
            client.publish(TOPICS[0], b"y", 1, True)
            assert [message.retain for message in client.gather(2)] == [False, True]
            client.publish(TOPICS[0], b"", 1, True)
        with self.client() as client:
            for qos in range(3):
                client.publish(TOPICS[qos + 1], b"x", qos, True)
        for handling, counts in ((1, (3, 0)), (2, (0, 0)), (0, (3, 3))):
            with self.client() as client:
                for count in counts:
                    client.subscribe((PLUS_PLUS, 2 | handling << 4))
                    assert len(client.gather(4, 0.5)) == count, f"retain handling {handling}"
        self.clean_up()

    def demand_subscribe_identifiers(self):
        with self.client() as one, self.client(B) as two:
            one.subscribe((TOPICS[0], 2), listed={SUBSCRIPTION_ID: 456_789})
            two.subscribe((TOPICS[0], 2), listed={SUBSCRIPTION_ID: 2})
            two.subscribe((UNDER_A, 2), listed={SUBSCRIPTION_ID: 3})
            two.publish(TOPICS[0], b"sub identifier test", 1)
            assert [message.properties[SUBSCRIPTION_ID] for message in one.gather(2, 1)] == [[456_789]]
            assert [sorted(message.properties[SUBSCRIPTION_ID]) for message in two.gather(2, 1)] == [[2, 3]]

    def demand_request_response(self):
        with self.client() as one, self.client(B) as two:
            one.subscribe((TOPICS[0], 2 | 4))
            two.subscribe((TOPICS[0], 2 | 4))
            one.publish(TOPICS[0], b"request", 1, listed={RESPONSE: TOPICS[0], CORRELATION: b"334"})
            found = two.gather(2, 1)
            assert len(found) == 1 and found[0].properties == {RESPONSE: TOPICS[0].encode(), CORRELATION: b"334"}, found
            two.publish(found[0].properties[RESPONSE], b"response", 1, listed=found[0].properties)
            assert [message.payload for message in one.gather(2, 1)] == [b"response"]

    def demand_client_topic_alias(self):
        with self.client() as client:
            client.send(client.publish_packet(TOPICS[0], b"", 1, listed={ALIAS: 0}))
            assert client.disconnected()
        with self.client(listed={ALIAS_MAX: 0, EXPIRY: 99_999}) as client:
            assert client.connack.properties[ALIAS_MAX] > 0
            client.subscribe((TOPICS[0], 2))
            client.publish(TOPICS[0], b"1", 1, listed={ALIAS: 1})
            client.publish("", b"2", 1, listed={ALIAS: 1})
            assert [message.payload for message in client.gather(2)] == [b"1", b"2"]
            client.disconnect()
        with self.client(clean=False) as client:
            client.publish(TOPICS[0], b"3", 1)
            assert [message.payload for message in client.gather(1)] == [b"3"]
            client.send(client.publish_packet("", b"4", 1, listed={ALIAS: 1}))
            assert client.disconnected()

    def demand_server_topic_alias(self):
        for aliases in (1, None, 0):
            with self.client(listed={} if aliases is None else {ALIAS_MAX: aliases}) as client:
                client.subscribe((TOPICS[0], 2))
                for qos in range(3):
                    client.publish(TOPICS[0], b"x", qos)
                found = client.gather(3)
                assert len(found) == 3
                if aliases:
                    assert [message.topic for message in found] == [TOPICS[0], "", ""], found
                    assert [message.properties.get(ALIAS) for message in found] == [1, 1, 1], found
                else:
                    assert not any(ALIAS in message.properties for message in found), found

    def demand_maximum_packet_size(self):
        with self.client() as client:
            size = client.connack.properties[PACKET_MAX]
            client.send(client.publish_packet(TOPICS[0], b"." * size))
            assert client.disconnected() == 0x95
        with self.client(listed={PACKET_MAX: 64}) as client:
            client.subscribe((TOPICS[0], 2))
            client.publish(TOPICS[0], b"." * 32)
            assert len(client.gather(1)) == 1
            client.publish(TOPICS[0], b"." * 64, 1)
            assert not client.gather(1, 1)
            client.disconnect()

    def demand_server_keep_alive(self):
        with self.client(keep_alive=120) as client:
            assert client.connack.properties[SERVER_KEEP_ALIVE] == 60

    def demand_flow_control1(self):
        with self.client(listed={RECEIVE_MAX: 2, EXPIRY: 0}) as client:
            client.subscribe((TOPICS[0], 2))
            client.acknowledge = False
            client.send(b"".join(client.publish_packet(TOPICS[0], b"%d" % number, 1) for number in range(3)))
            for _ in range(3):
                client.wait(PUBACK)
            found = client.gather(3, 0.5)
            assert len(found) == 2, f"{len(found)} in flight"
            client.send(packet(0x40, struct.pack(">H", found[0].packet_id)))
            assert len(client.gather(1)) == 1

    def demand_flow_control2(self):
        with self.client() as client:
            limit = client.connack.properties.get(RECEIVE_MAX, 65_535)
            for number in range(limit + 1):
                client.send(client.publish_packet(TOPICS[0], b"message %d" % number, 2))
            # The client goes on with its handshakes, and must come to the DISCONNECT all the same.
            assert client.disconnected() == 0x93

    def demand_will_delay(self):
        for delay, expiry, least, most in ((3, 5, 3, 5), (5, 0, 0, 2), (5, 2, 2, 4)):
            will = Will(TOPICS[0], b"late", properties={WILL_DELAY: delay})
            with self.client(B) as other:
                with self.client(listed={EXPIRY: expiry}, will=will):
                    other.subscribe((TOPICS[0], 2))
                begun = time.monotonic()
                assert [message.payload for message in other.gather(1, 6)] == [b"late"]
                assert least - 0.1 <= time.monotonic() - begun <= most, f"after {time.monotonic() - begun:.1f} s"
        with self.client():
            pass

    def demand_shared_subscriptions(self):
        both = (("$share/sharename/client_test5/x", 2), (TOPICS[0], 2))
        with self.client() as one, self.client(B) as two:
            one.subscribe(*both)
            two.subscribe(*both)
            two.publish(TOPICS[0], b"all", 0)
            assert len(one.gather(2, 0.5)) == 1 and len(two.gather(2, 0.5)) == 1
            two.publish("client_test5/x", b"one", 0)
            assert len(one.gather(2, 0.5)) + len(two.gather(2, 0.5)) == 1


def demands(port: int):
    """Version, name and function of each."""
    for name, suite in (("3.1.1", Suite311(port)), ("5.0", Suite5(port))):
        yield name, "clean up", suite.clean_up
        for method in sorted(dir(suite)):
            if method.startswith("demand_"):
                yield name, method.removeprefix("demand_").replace("_", " "), getattr(suite, method)
