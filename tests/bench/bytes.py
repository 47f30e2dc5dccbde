#!/usr/bin/env python3
"""Bytes of a reading in Kafka, by stream and form of record: 100 simulated sensors at 1 Hz, batches of 60 s, Kafka's zstd, as they
lie in the log segments with all that Kafka adds (headers, transactions; no watermarks). Each has a gateway and a topic of its own.

    bytes.py [--minutes N]     needs the broker of tests/kafka/up; run by ./test bench
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

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


def log_folder() -> Path:
    """Where the broker of tests/kafka/up keeps its segments."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate"
    port = os.environ.get("TIDEGATE_KAFKA_PORT", "19092")
    return Path(os.environ.get("TIDEGATE_KAFKA_DIR", cache / f"kafka-on-{port}")) / "data"


def segment_bytes(topic: str) -> int:
    return sum(file.stat().st_size for file in log_folder().glob(f"{topic}-*/*.log"))


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
        publishers = [publish(gateways[stream], profiles, minutes) for stream, (_, profiles) in STREAMS.items()]
        for publisher in publishers:
            publisher.wait()
        readings = SENSORS * 60 * minutes
        for stream, gateway in gateways.items():
            topic = f"{name}-{stream}"
            # The last batch closes by the clock.
            kafka.wait_for(lambda topic=topic, gateway=gateway: len(kafka.read(topic, gateway.id)) >= minutes, ARRIVE_S_MAX)
            print(f"{stream:<16}{segment_bytes(topic) / readings:6.2f} bytes a reading, {readings} readings", flush=True)
        for gateway in gateways.values():
            gateway.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
