#!/usr/bin/env python3
"""Bytes of a reading in Kafka, by form of record: 100 simulated sensors at 1 Hz, batches of 60 s, Kafka's zstd, as they lie in
the log segments with all that Kafka adds (headers, transactions; no watermarks). Each form has a gateway and topics of its own.

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

FORMS = ("batch", "json", "protobuf")
SENSORS = 100
# What is measured each second in the field; none of them stands still.
PROFILES = ("ds18b20", "pt100-4-20ma", "vibration-rms", "current-clamp", "tank-level")
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


def main() -> int:
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=3)
    minutes = parser.parse_args().minutes
    name = f"bytes-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        gateways = {}
        for form in FORMS:
            topics = f'format = "{form}"\ntopic_telemetry = "{name}-{form}"\n'
            gateways[form] = Gateway(Path(folder), f"{name}-{form}", kafka.bootstrap(), SETTINGS, kafka=topics)
            gateways[form].start()
        publishers = [
            subprocess.Popen(
                [
                    BIN_DIR / "sensor-sim", "publish", "--broker", f"127.0.0.1:{gateway.port}", "--devices", str(SENSORS),
                    *(word for profile in PROFILES for word in ("--profile", profile)), "--rate", "1", "--signals", "1", "--duration", f"{minutes}m", "--payload", "json",
                ],
                stdout=subprocess.DEVNULL,
            )
            for gateway in gateways.values()
        ]  # fmt: skip
        for publisher in publishers:
            publisher.wait()
        readings = SENSORS * 60 * minutes
        for form in FORMS:
            topic = f"{name}-{form}"
            # The last batch closes by the clock.
            kafka.wait_for(lambda form=form, topic=topic: len(kafka.read(topic, gateways[form].id)) >= minutes, ARRIVE_S_MAX)
            print(f"{form:<12}{segment_bytes(topic) / readings:6.2f} bytes a reading, {readings} readings")
        for gateway in gateways.values():
            gateway.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
