#!/usr/bin/env python3
"""What a fleet sends, as consumers see it: three gateways with one form of record each, then pandas, Parquet, Flink and MongoDB.

Run by tests/kafka/run. Every value is held against what was sent; doubles of records are put into Kafka behind the gateways'
backs, as a producer without transactions leaves them.
"""

import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from itertools import zip_longest
from pathlib import Path
from statistics import fmean

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / name) for name in ("rig", "consumers/python")]
import kafka  # noqa: E402
import pandas as pd  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from gateway import Gateway, end_on_sigterm  # noqa: E402
from kafka import key_of  # noqa: E402
from mqtt import Login, Paho  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from table import Table  # noqa: E402
from tidegate_batch import REASONS  # noqa: E402
from tidegate_batch import decode as decode_batch  # noqa: E402
from tidegate_forms import decode  # noqa: E402
from tidegate_frame import readings as frame_of  # noqa: E402

SETTINGS = """
[pipeline]
batch_interval = "2s"
[defaults]
average = "10s"
lateness = "1s"
[[sensor]]
device = "press-*"
signal = "force"
unit = "kN"
range = [-1000.0, 1000.0]
[[sensor.alerts]]
name = "high"
above = 90.0
severity = "critical"
"""
FORMS = ("batch", "json", "protobuf")
CONTENTS = {"batch": "application/vnd.tidegate.batch", "json": "application/json", "protobuf": "application/protobuf"}
DEVICES = ("press-1", "press-2")
SIGNALS = ("force", "oil")
READINGS = 120
STEP_MS = 500
WINDOW_S, SLIDE_S = 20, 5
FLINK_S_MAX = 150
ARRIVE_S_MAX = 60
# A mean of windows of some hundred values, by two summations.
RELATIVE = 1e-12


class Fleet:
    """The gateways, and what was sent to each."""

    def __init__(self, folder: Path, table: Table):
        self.table = table
        self.folder = folder
        self.name = f"fleet-{os.getpid()}-"
        self.start_ms = int(time.time()) // 60 * 60_000 - 3_600_000
        self.gateways = {}
        for form in FORMS:
            settings = f'format = "{form}"'
            self.gateways[form] = Gateway(folder, self.name + form, kafka.bootstrap(), SETTINGS, kafka=settings)
        # Two more boxes with batches: what Flink adds up comes from several.
        for number in (2, 3):
            name = f"batch{number}"
            self.gateways[name] = Gateway(folder, self.name + name, kafka.bootstrap(), SETTINGS)
        self.sent = defaultdict(list)

    def batches(self):
        return [name for name in self.gateways if name.startswith("batch")]

    def value(self, name: str, device: str, signal: str, place: int) -> float:
        """The same to each form; to each further box its own. One reading in fifty is out of range."""
        offset = len(name) * 7 + DEVICES.index(device) * 10 if name not in FORMS else DEVICES.index(device) * 10
        if signal == "force" and place % 50 == 49:
            return 5000.0
        return round(40 + offset + 30 * math.sin(place / 9 + len(signal)) + place / 7, 3)

    def send(self, name: str):
        gateway = self.gateways[name]
        gateway.start()
        client = Paho(Login(gateway.port), f"sender-{name}")
        for place in range(READINGS):
            time_ms = self.start_ms + place * STEP_MS
            for device in DEVICES:
                values = {signal: self.value(name, device, signal, place) for signal in SIGNALS}
                client.publish(f"sensors/{device}", json.dumps({"ts": time_ms, "values": values}))
                self.sent[name] += [(device, signal, time_ms, value) for signal, value in values.items()]
        self.table.check(f"{name}: everything is acknowledged", client.wait_acknowledged(), f"{len(client.sent)} messages")
        client.end()

    def messages(self, name: str, topic: str):
        """By the reader of all forms."""
        return [decode(record.value, record.headers) for record in kafka.read(topic, self.gateways[name].id)]

    def rows(self, name: str):
        return [row for message in self.messages(name, "edge.telemetry") if message.kind == "telemetry" for row in message.items]


def sending(fleet: Fleet):
    for name in fleet.gateways:
        fleet.send(name)
    for name in fleet.gateways:
        expected = Counter(key_of(*reading) for reading in fleet.sent[name])

        def found(name=name):
            return Counter(key_of(r.sensor.device, r.sensor.signal, r.time_ms, r.raw) for r in fleet.rows(name))

        kafka.wait_for(lambda found=found, expected=expected: found() >= expected, ARRIVE_S_MAX)
        fleet.table.equal(f"{name}: every reading is in Kafka once", found() == expected, True)


def forms(fleet: Fleet):
    for form in FORMS:
        records = [r for topic in kafka_topics() for r in kafka.read(topic, fleet.gateways[form].id)]
        contents = {record.headers["content-type"] for record in records}
        contents = {content for content in contents if not content.endswith(".alert")} if form == "batch" else contents
        fleet.table.equal(f"{form}: the header says so", contents, {CONTENTS[form]})
        ids = [record.headers["ce_id"] for record in records]
        fleet.table.equal(f"{form}: every ce_id once", len(ids), len(set(ids)))
    rows = {form: sorted(map(row_key, fleet.rows(form))) for form in FORMS}
    windows = {form: windows_of(fleet, form) for form in FORMS}
    alerts = {form: [alert_key(item) for m in fleet.messages(form, "edge.alerts") for item in m.items] for form in FORMS}
    for form in FORMS[1:]:
        same(fleet, f"{form}: readings as in the batch, with quality and reasons", rows[form], rows["batch"])
        same(fleet, f"{form}: summaries as in the batch", sorted(windows[form].items()), sorted(windows["batch"].items()))
        same(fleet, f"{form}: alerts as in the batch", alerts[form], alerts["batch"])
    fleet.table.check("... and there are some of each", all((rows["json"], windows["json"], alerts["json"])),
                      f"{len(rows['json'])}, {len(windows['json'])}, {len(alerts['json'])}")  # fmt: skip
    reasons = Counter(reason for row in fleet.rows("json") for reason in row.reasons)
    fleet.table.equal("what was out of range says so", reasons["out_of_range"], len(DEVICES) * (READINGS // 50))


def same(fleet: Fleet, what: str, found: list, expected: list):
    """All the same; where not, the first that differs is told."""
    differing = next(((a, b) for a, b in zip_longest(found, expected) if a != b), None)
    fleet.table.equal(what, differing, None)


def kafka_topics():
    return [f"edge.{name}" for name in ("telemetry", "aggregates", "alerts")]


def row_key(row):
    return (row.sensor.device, row.sensor.signal, row.time_ms, repr(row.raw), repr(row.value), row.quality, tuple(row.reasons))


def alert_key(alert):
    return (alert.sensor.device, alert.rule, alert.state, alert.severity, alert.since_ms, alert.value, alert.limit)


def windows_of(fleet: Fleet, form: str) -> dict:
    """The statistics of each window, by its last revision."""
    newest = {}
    items = [item for message in fleet.messages(form, "edge.aggregates") for item in message.items]
    for item in sorted(items, key=lambda item: item.revision):
        newest[item.sensor.device, item.sensor.signal, item.start_ms] = (item.stats, item.bad)
    return newest


def frames(fleet: Fleet):
    frame = frame_of(fleet.messages("batch", "edge.telemetry"))
    sent = pd.DataFrame(fleet.sent["batch"], columns=["device", "signal", "time", "sent"])
    sent["time"] = pd.to_datetime(sent["time"], unit="ms", utc=True)
    # Categories of one side only would make the merge fall back to text, which is what is wanted here.
    both = frame.astype({"device": str, "signal": str}).merge(sent, on=["device", "signal", "time"], validate="one_to_one")
    fleet.table.equal("pandas: every reading has its row", len(both), len(sent))
    fleet.table.equal("... with the value that was sent", int((both["raw"] == both["sent"]).sum()), len(sent))
    means = frame.groupby("signal", observed=True)["value"].mean()
    for signal in SIGNALS:
        expected = fmean(value for _, of, _, value in fleet.sent["batch"] if of == signal and value <= 1000)
        fleet.table.check(f"... and the mean of {signal}", math.isclose(means[signal], expected, rel_tol=RELATIVE), means[signal])
    file = fleet.folder / "readings.parquet"
    with open(fleet.folder / "framed", "wb") as framed:
        for record in kafka.read("edge.telemetry", fleet.gateways["batch"].id):
            framed.write(len(record.value).to_bytes(4, "big") + record.value)
    with open(fleet.folder / "framed", "rb") as framed:
        program = HERE.parent / "consumers" / "python" / "tidegate_frame.py"
        subprocess.run([sys.executable, program, file], stdin=framed, check=True, timeout=60, capture_output=True)
    pd.testing.assert_frame_equal(pd.read_parquet(file), frame, check_categorical=False)
    fleet.table.check("Parquet gives back the same table", True, f"{file.stat().st_size / len(frame):.2f} bytes a reading")


def doubles(fleet: Fleet):
    """Every second record of telemetry once more, with its headers."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap()})
    again = [r for name in fleet.batches() for r in kafka.read("edge.telemetry", fleet.gateways[name].id)[::2]]
    for record in again:
        headers = [(key, value.encode()) for key, value in record.headers.items()]
        producer.produce(record.topic, record.value, record.key, headers=headers)
    fleet.table.equal("doubles are in Kafka", producer.flush(30), 0)
    fleet.table.check("... some of each gateway", len(again) >= len(fleet.batches()), f"{len(again)} records")


def java(fleet: Fleet):
    """The decoder in plain Java against the one in Python, over the golden batches."""
    golden = HERE.parents[1] / "gateway/wire/golden"
    files = [str(golden / f"{name}-v1.bin") for name in ("telemetry", "telemetry-noisy", "telemetry-unit")]
    program = HERE.parent / "consumers/flink/TidegateBatch.java"
    command = ["java", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", program, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = [row for file in files for row in decode_batch(Path(file).read_bytes()).items]
    lines = [java_line(row) for row in rows]
    fleet.table.equal("the decoder in Java reads what that in Python reads", done.stdout.splitlines() == lines, True)


def java_line(row) -> str:
    bits = ["-" if it is None else f"{int.from_bytes(struct.pack('>d', it)):x}" for it in (row.raw, row.value)]
    reasons = sum(1 << REASONS.index(reason) for reason in row.reasons)
    names = (row.sensor.device, row.sensor.signal, row.sensor.unit)
    return "\t".join(map(str, (*names, row.time_ms, row.arrival_ms, *bits, row.quality, reasons)))


def flink(fleet: Fleet):
    begun = time.monotonic()
    command = [HERE.parent / "consumers/flink/run", kafka.bootstrap(), "edge.telemetry", fleet.name, str(WINDOW_S), str(SLIDE_S)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FLINK_S_MAX, check=False)
    if done.returncode != 0:
        print(done.stderr[-3000:])
    fleet.table.equal("the Flink job ends with", done.returncode, 0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {(line["signal"], line["start"]): line for line in lines if "mean" in line}
    expected = rolling(fleet)
    fleet.table.equal("no reading was too late for it", len([line for line in lines if "late" in line]), 0)
    fleet.table.equal("it finds every window of the fleet", found.keys() == expected.keys(), True)
    counts = all(found[key]["n"] == len(values) for key, values in expected.items())
    fleet.table.equal("... with each reading of all boxes once, doubles or not", counts, True)
    means = all(math.isclose(found[key]["mean"], fmean(values), rel_tol=RELATIVE) for key, values in expected.items())
    fleet.table.check("... and their mean", means, f"{len(expected)} windows in {time.monotonic() - begun:.0f} s")


def rolling(fleet: Fleet) -> dict:
    """Values of each sliding window over all boxes that send batches."""
    windows = defaultdict(list)
    for name in fleet.batches():
        for _, signal, time_ms, value in fleet.sent[name]:
            first = time_ms // (SLIDE_S * 1000) * SLIDE_S * 1000
            for start in range(first, time_ms - WINDOW_S * 1000, -SLIDE_S * 1000):
                if signal == "oil" or value <= 1000:
                    windows[signal, start].append(value)
    return windows


def mongodb(fleet: Fleet):
    log = open(fleet.folder / "mongodb.log", "wb")
    command = [HERE.parent / "consumers/mongodb/server"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    try:
        port = int(server.stdout.readline())
        database = MongoClient("127.0.0.1", port).get_database("fleet")
        for attempt in ("first", "again, by a consumer without offsets"):
            sink(fleet, port, attempt)
            check_readings(fleet, database, attempt)
            check_summaries(fleet, database)
            check_alerts(fleet, database)
    finally:
        server.stdin.close()
        server.wait(20)
        log.close()


def sink(fleet: Fleet, port: int, attempt: str):
    command = [
        sys.executable, HERE.parent / "consumers/mongodb/sink.py", "--kafka", kafka.bootstrap(),
        "--mongo", f"mongodb://127.0.0.1:{port}/fleet", "--gateways", fleet.name, "--group", f"{fleet.name}{attempt[:5]}",
        "--until-end",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        print(done.stderr[-3000:])
    fleet.table.check(f"the sink runs ({attempt})", done.returncode == 0, done.stdout.strip())


def check_readings(fleet: Fleet, database, attempt: str):
    for name in fleet.gateways:
        stored = database.readings.find({"gateway": fleet.gateways[name].id})
        found = Counter(key_of(doc["device"], doc["signal"], doc["time_ms"], doc["raw"]) for doc in stored)
        expected = Counter(key_of(*reading) for reading in fleet.sent[name])
        fleet.table.equal(f"MongoDB has every reading of {name} once", found == expected, True)


def check_summaries(fleet: Fleet, database):
    found, expected = {}, {}
    for form in FORMS:
        for doc in database.summaries.find({"gateway": fleet.gateways[form].id}):
            found[form, doc["device"], doc["signal"], doc["start_ms"]] = (doc["stats"]["n"], doc["stats"]["mean"], doc["bad"])
        for (device, signal, start), (stats, bad) in windows_of(fleet, form).items():
            expected[form, device, signal, start] = (stats.n, stats.mean, bad)
    fleet.table.equal("... one summary for each window, with its mean", found == expected and len(found) > 0, True)


def check_alerts(fleet: Fleet, database):
    found = {form: database.alerts.count_documents({"gateway": fleet.gateways[form].id, "state": "raised"}) for form in FORMS}
    raised = {form: sum(it.state == "raised" for m in fleet.messages(form, "edge.alerts") for it in m.items) for form in FORMS}
    fleet.table.equal("... and each alert", found == raised and min(raised.values()) > 0, True)


def main() -> int:
    end_on_sigterm()
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), table)
        try:
            for part in (sending, forms, frames, doubles, java, flink, mongodb):
                table.part(part.__name__, lambda part=part: part(fleet))
        finally:
            for gateway in fleet.gateways.values():
                gateway.end()
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
