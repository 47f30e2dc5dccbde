"""What stands in Kafka, read by a foreign client (kcat, read_committed), and the broker's own ups and downs."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple

sys.path.insert(0, str(Path(__file__).parents[1] / "consumers" / "python"))
from tidegate_batch import Message, decode  # noqa: E402

CTL = Path(__file__).parents[1] / "kafka" / "ctl"
READ_S_MAX = 120
POLL_S = 1.0

# A reading as far as it can be compared: device, signal, time and the value's bits as text.
Key = Tuple[str, str, int, str]


class Record(NamedTuple):
    """One record of Kafka."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: str
    headers: Dict[str, str]
    value: bytes

    def message(self) -> Message:
        return decode(self.value)


def bootstrap() -> str:
    """The broker that ./test started."""
    address = os.environ.get("TIDEGATE_KAFKA")
    if not address:
        sys.exit("TIDEGATE_KAFKA is not set: run this by ./test, or tests/kafka/up and TIDEGATE_KAFKA=127.0.0.1:19092")
    return address


def is_ours() -> bool:
    """Whether the broker may be killed: it is the one of tests/kafka/up at TIDEGATE_KAFKA_PORT."""
    port = os.environ.get("TIDEGATE_KAFKA_PORT", "19092")
    return bootstrap().endswith(f":{port}") and control("status") == "running"


def control(verb: str) -> str:
    """tests/kafka/ctl."""
    done = subprocess.run([CTL, verb], capture_output=True, text=True, timeout=180, check=True)
    return done.stdout.strip()


def read(topic: str, gateway: str) -> List[Record]:
    """All committed records of a gateway on a topic, in the order of their partition."""
    command = [
        "kcat", "-C", "-q", "-e", "-b", bootstrap(), "-t", topic, "-o", "beginning",
        "-X", "isolation.level=read_committed", "-f", "%p|%o|%T|%k|%S|%h\n%s",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=READ_S_MAX, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"kcat: {done.stderr.decode(errors='replace')}")
    source = f"tidegate/{gateway}"
    return [record for record in parse(topic, done.stdout) if record.headers.get("ce_source") == source]


def parse(topic: str, output: bytes) -> Iterator[Record]:
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        partition, offset, time_ms, key, length, headers = output[at:end].decode().split("|", 5)
        at = end + 1 + max(int(length), 0)
        pairs = dict(pair.split("=", 1) for pair in headers.split(",") if pair)
        yield Record(topic, int(partition), int(offset), int(time_ms), key, pairs, output[end + 1 : at])


def key_of(device: str, signal: str, time_ms: int, value: float) -> Key:
    return device, signal, time_ms, repr(float(value))


def rows(gateway: str) -> Iterator:
    """Rows of telemetry in the order of Kafka."""
    for record in read("edge.telemetry", gateway):
        message = record.message()
        if message.kind == "telemetry":
            yield from message.items


def readings(gateway: str) -> Counter:
    """How often each reading is in Kafka, as it was sent."""
    return Counter(
        key_of(row.sensor.device, row.sensor.signal, row.time_ms, row.value if row.raw is None else row.raw)
        for row in rows(gateway)
    )


def items(topic: str, gateway: str) -> list:
    """Summaries, alerts or gaps of a topic."""
    return [item for record in read(topic, gateway) for item in record.message().items]


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    """Asks until the answer is yes, or the time is over."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def wait_for_readings(gateway: str, expected: Counter, seconds: float) -> Counter:
    """Waits until all that is expected is there, and returns what is there in the end."""
    wait_for(lambda: not expected - readings(gateway), seconds)
    return readings(gateway)
