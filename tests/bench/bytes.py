#!/usr/bin/env python3
"""Bytes of a reading in Kafka, by stream and form of record: 100 simulated sensors at 1 Hz, batches of 60 s, Kafka's zstd, as they
lie in the log segments with all that Kafka adds (headers, transactions; no watermarks). Each has a gateway and a topic of its own.
Beside it what went over the socket for it: requests, topic names, transactions and watermarks too. Then what of it is what.

    bytes.py [--minutes N]     needs the broker of tests/kafka/up, and ss (iproute2); run by ./test bench
"""

import argparse
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List

import pyarrow

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))
import kafka  # noqa: E402
from gateway import BIN_DIR, Gateway, end_on_sigterm  # noqa: E402

SENSORS = 100
# The simulator's own default; and what is measured each second in the field, of which none stands still.
ROOM = ("dht22",)
PLANT = ("ds18b20", "pt100-4-20ma", "vibration-rms", "current-clamp", "tank-level")
STREAMS = {
    "room-batch": ("batch", ROOM),
    "room-json": ("json", ROOM),
    "plant-batch": ("batch", PLANT),
    "plant-json": ("json", PLANT),
    "plant-protobuf": ("protobuf", PLANT),
}
SETTINGS = """
[pipeline]
batch_interval = "60s"
batch_readings_max = 8192
"""
ARRIVE_S_MAX = 90
# As in gateway/src/uplink/properties.rs.
ZSTD = pyarrow.Codec("zstd", 6)
SECTIONS = ("dictionary", "marks", "times", "lags", "values", "raw numbers")
# Of a batch of Kafka's records: from its base offset to its number of records (KIP-98), and the bit of transactions' markers.
BATCH_HEAD_BYTES = 61
CONTROL_BIT = 0x20


def log_folder() -> Path:
    """Where the broker of tests/kafka/up keeps its segments."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate"
    port = os.environ.get("TIDEGATE_KAFKA_PORT", "19092")
    return Path(os.environ.get("TIDEGATE_KAFKA_DIR", cache / f"kafka-on-{port}")) / "data"


def segment_bytes(topic: str) -> int:
    return sum(file.stat().st_size for file in log_folder().glob(f"{topic}-*/*.log"))


def socket_bytes(gateway: Gateway) -> int:
    """What the gateway has sent to Kafka over the connections that are open."""
    told = subprocess.run(["ss", "-tnpi"], capture_output=True, text=True, check=True).stdout
    port = kafka.bootstrap().rpartition(":")[2]
    ours = re.compile(rf":{port} .*pid={gateway.process.pid},.*\n.*bytes_sent:(\d+)")
    return sum(map(int, ours.findall(told)))


def batches(topic: str) -> Iterator[bytes]:
    """The batches of Kafka's records in the segments of a topic."""
    for file in log_folder().glob(f"{topic}-*/*.log"):
        data, at = file.read_bytes(), 0
        while at + BATCH_HEAD_BYTES <= len(data):
            length = 12 + struct.unpack_from(">i", data, at + 8)[0]
            yield data[at : at + length]
            at += length


def sections(message: bytes) -> List[bytes]:
    """The columns of a batch of readings (gateway/wire/FORMAT.md): what stands before them is the frame, with a checksum behind."""
    # Version and kind, the gateway's id, and the time in six bytes.
    at = 3 + message[2] + 6
    found = []
    for _ in SECTIONS:
        (length,) = struct.unpack_from("<I", message, at)
        at += 4 + length
        found.append(message[at - length : at])
    return found


def zstd(data: bytes) -> int:
    return len(ZSTD.compress(data).to_pybytes()) if data else 0


def parts(topic: str, records: List[kafka.Record], is_batch: bool) -> Dict[str, float]:
    """Bytes of each part in Kafka's segments; of what is compressed together, what it takes more than without the part."""
    found = list(batches(topic))
    markers = [batch for batch in found if struct.unpack_from(">h", batch, 21)[0] & CONTROL_BIT]
    packed = sum(map(len, found)) - sum(map(len, markers)) - BATCH_HEAD_BYTES * (len(found) - len(markers))
    bodies = sum(zstd(record.value) for record in records)
    named = sum(zstd(b"".join(f"{key}{value}".encode() for key, value in record.headers.items())) for record in records)
    keys = sum(len(record.key) for record in records)
    out = {
        "heads of Kafka's batches": BATCH_HEAD_BYTES * (len(found) - len(markers)),
        "ends of transactions": sum(map(len, markers)),
        "keys": keys,
        "headers": named,
        "lengths, numbers, times": packed - bodies - named - keys,
        "values": bodies,
    }
    if is_batch:
        columns = [[zstd(section) for section in sections(record.value)] for record in records]
        out |= {f"  {name}, alone": sum(sizes) for name, sizes in zip(SECTIONS, zip(*columns))}
    return out


def publish(gateway: Gateway, profiles: tuple, minutes: int) -> subprocess.Popen:
    command = [BIN_DIR / "sensor-sim", "publish", "--broker", f"127.0.0.1:{gateway.port}", "--devices", str(SENSORS)]
    command += [word for profile in profiles for word in ("--profile", profile)]
    command += ["--rate", "1", "--signals", "1", "--duration", f"{minutes}m", "--payload", "json"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def main() -> int:
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=3)
    minutes = parser.parse_args().minutes
    name = f"bytes-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        gateways = {}
        for stream, (form, _) in STREAMS.items():
            topics = f'format = "{form}"\ntopic_telemetry = "{name}-{stream}"\n'
            gateways[stream] = Gateway(Path(folder), f"{name}-{stream}", kafka.bootstrap(), SETTINGS, kafka=topics)
            gateways[stream].start()
        # The sessions are open, and nothing was sent yet.
        for gateway in gateways.values():
            kafka.wait_for(lambda gateway=gateway: gateway.log_lines("connected to Kafka"), 30)
        opened = {stream: socket_bytes(gateway) for stream, gateway in gateways.items()}
        publishers = [publish(gateways[stream], profiles, minutes) for stream, (_, profiles) in STREAMS.items()]
        for publisher in publishers:
            publisher.wait()
        readings = SENSORS * 60 * minutes
        for stream, gateway in gateways.items():
            topic = f"{name}-{stream}"
            # The last batch closes by the clock.
            kafka.wait_for(lambda topic=topic, gateway=gateway: len(kafka.read(topic, gateway.id)) >= minutes, ARRIVE_S_MAX)
            sent = (socket_bytes(gateway) - opened[stream]) / readings
            stored = segment_bytes(topic) / readings
            print(f"{stream:<16}{stored:6.2f} bytes a reading, {readings} readings; {sent:.2f} over the socket", flush=True)
            for part, size in parts(topic, kafka.read(topic, gateway.id), STREAMS[stream][0] == "batch").items():
                print(f"    {part:<28}{size / readings:8.3f}")
        for gateway in gateways.values():
            gateway.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
