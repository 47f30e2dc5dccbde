"""What users feel, measured over and over: a reading that raises or clears an alert is published at QoS 1, and three clocks run:
until its PUBACK, until a local subscriber has the alert, and until a read_committed consumer has it from Kafka."""

import json
import random
import threading
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from raw import PUBACK, PUBLISH, Raw
from tidegate_batch import decode

DEVICE, SIGNAL = "probe", "alarm"
RULES = f"""
[[sensor]]
device = "{DEVICE}"
signal = "{SIGNAL}"
[[sensor.alerts]]
name = "high"
above = 50.0
severity = "critical"
"""
TOPIC = "edge.alerts"
# Some 25 alerts a second, at no fixed distance: they must not march in step with the commits. During an outage, one. Hundreds
# would be transactions without end, which Kafka answers with pauses of its own.
EVERY_S = (0.02, 0.06)
SELDOM_S = (0.5, 1.5)
POLL_S = 0.2


# An alert is known by the time of the reading with which it was raised, and by what became of it.
Name = Tuple[int, str]


class Felt(NamedTuple):
    """One reading: when it was sent (s, monotonic), and what it took, ms; None if it never came."""

    sent: float
    puback: Optional[float]
    local: Optional[float]
    kafka: Optional[float]


class Probe:
    """Publishes from its making until `end`."""

    def __init__(self, port: int, gateway: str, bootstrap: str):
        self.gateway = gateway
        self.over = threading.Event()
        self.every_s = EVERY_S
        self.sent: Dict[Name, float] = {}
        self.order: List[Name] = []
        self.pubacks: List[float] = []
        self.local: Dict[Name, float] = {}
        self.in_kafka: Dict[Name, float] = {}
        self.doubled = 0
        self.publisher, self.subscriber = Raw(port), Raw(port)
        self.publisher.connect("probe-publisher")
        self.subscriber.connect("probe-subscriber")
        self.subscriber.subscribe((f"tidegate/{gateway}/alert/#", 0))
        self.consumer = self._consumer(bootstrap)
        works = (self._publish, self._hear_pubacks, self._hear_alerts, self._consume)
        self.threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self.threads:
            thread.start()

    def _consumer(self, bootstrap: str) -> Consumer:
        consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": f"probe-{self.gateway}", "isolation.level": "read_committed",
            "enable.auto.commit": False, "fetch.wait.max.ms": 1000, "log_level": 2,
        })  # fmt: skip
        partitions = consumer.list_topics(TOPIC, 30).topics[TOPIC].partitions
        consumer.assign([TopicPartition(TOPIC, partition, OFFSET_END) for partition in partitions])
        # Its position is that of the end once it was asked for the first time.
        consumer.poll(2.0)
        return consumer

    def _publish(self):
        chance = random.Random(1)
        raised_ms = 0
        while not self.over.wait(chance.uniform(*self.every_s)):
            now_ms = int(time.time() * 1000)
            is_raised = len(self.order) % 2 == 0
            raised_ms = max(now_ms, raised_ms + 1) if is_raised else raised_ms
            payload = json.dumps({"ts": now_ms, "value": 100 if is_raised else 0}).encode()
            packet = self.publisher.publish_packet(f"sensors/{DEVICE}/{SIGNAL}", payload, qos=1)
            name = (raised_ms, "raised" if is_raised else "cleared")
            self.order.append(name)
            self.sent[name] = time.monotonic()
            self.publisher.send(packet)

    def _frames(self, client: Raw, kind: int):
        while not self.over.is_set():
            try:
                got = client.frame(POLL_S)
            except TimeoutError:
                continue
            if got is None:
                return
            if got.kind == kind:
                yield got, time.monotonic()

    def _hear_pubacks(self):
        # They come in the order of their messages [MQTT-4.6.0-2].
        for _, now in self._frames(self.publisher, PUBACK):
            self.pubacks.append(now)

    def _hear_alerts(self):
        for got, now in self._frames(self.subscriber, PUBLISH):
            told = json.loads(self.subscriber.message(got).payload)
            self.local.setdefault((told["since"], told["transition"]), now)

    def _consume(self):
        source = f"tidegate/{self.gateway}".encode()
        while not self.over.is_set():
            record = self.consumer.poll(POLL_S)
            if record is None or record.error() or dict(record.headers() or []).get("ce_source") != source:
                continue
            now = time.monotonic()
            for alert in decode(record.value()).items:
                name = (alert.since_ms, alert.transition)
                self.doubled += name in self.in_kafka
                self.in_kafka.setdefault(name, now)

    def felt(self) -> List[Felt]:
        """All readings so far, in their order."""

        def after(begun: float, ended: Optional[float]) -> Optional[float]:
            return None if ended is None else (ended - begun) * 1000

        pubacks = self.pubacks + [None] * (len(self.order) - len(self.pubacks))
        return [
            Felt(self.sent[name], *(after(self.sent[name], at) for at in (puback, self.local.get(name), self.in_kafka.get(name))))
            for name, puback in zip(self.order, pubacks)
        ]

    def stop(self):
        """Sends no more, and waits for what is under way."""
        self.over.set()
        for thread in self.threads:
            thread.join(10)
        self.consumer.close()
        self.publisher.drop()
        self.subscriber.drop()
