#!/usr/bin/env python3
"""The whole way, with foreign clients at both ends: mosquitto and paho-mqtt publish, kcat reads what came of it in Kafka.

Run by tests/kafka/run. Prints a line for each thing that must hold; ends with 1 if one does not. The broker is killed and
started only if it is the one of tests/kafka/up.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("rig", "data")]
import kafka  # noqa: E402
from averages import Reading, averages  # noqa: E402
from compare import RELATIVE  # noqa: E402
from gateway import SIGKILLED, Gateway, end_on_sigterm  # noqa: E402
from kafka import key_of  # noqa: E402
from mqtt import Login, MosquittoSub, Paho, mosquitto_pub  # noqa: E402
from paho.mqtt.client import MQTTv5, MQTTv311  # noqa: E402
from table import Table  # noqa: E402

ROLES = """\
role device
  publish   sensors/%u/#
  subscribe sensors/%u/command/#
role operator
  subscribe #
"""
SETTINGS = """
# with credentials
[pipeline]
batch_interval = "3s"

[defaults]
average = "1s"
lateness = "500ms"

[[sensor]]
device = "pump-7"
signal = "pressure"
unit = "bar"
range = [0.0, 200.0]
[[sensor.alerts]]
name = "high"
above = 90.0
hysteresis = 2.0
severity = "critical"
"""
STORE = 'commit_interval = "10ms"\ncheckpoint_interval = "1s"\n'
ARRIVE_S_MAX = 30.0
# Whoever guesses makes its own address wait, not that of the others.
ELSEWHERE = "127.0.0.9"
OUTAGE_S = 20.0
DRAIN_S_MAX = 90.0
WINDOW_MS = 1000


class Run:
    """The gateway under test, its people, and what they sent."""

    def __init__(self, folder: Path, table: Table):
        self.table = table
        self.folder = folder
        self.gateway = Gateway(folder, f"edge-{os.getpid()}", kafka.bootstrap(), SETTINGS, store=STORE)
        self.gateway.credentials.write_text(ROLES)
        for user, role in (("pump-7", "device"), ("press-1", "device"), ("anna", "operator")):
            self.gateway.add_user(user, f"{user}-secret", role)
        self.expected: Counter = Counter()
        self.clock_ms = int(time.time() * 1000) - 3_600_000

    def login(self, user: str) -> Login:
        return Login(self.gateway.port, user, f"{user}-secret")

    def payloads(self, device: str, signal: str, values, step_ms: int = 250):
        """JSON for each value, at times that nothing else has; they are expected in Kafka."""
        made = []
        for value in values:
            self.clock_ms += step_ms
            self.expected[key_of(device, signal, self.clock_ms, value)] += 1
            made.append(json.dumps({"ts": self.clock_ms, "value": value}))
        return made

    def arrived(self, what: str, seconds: float = ARRIVE_S_MAX):
        """Everything that was sent so far is in Kafka, each reading once, and nothing else is."""
        found = kafka.wait_for_readings(self.gateway.id, self.expected, seconds)
        lost, more = self.expected - found, found - self.expected
        detail = f"{found.total()} readings, {lost.total()} lost, {more.total()} doubled or unknown"
        self.table.check(what, not lost and not more, detail)
        for key in [*list(lost)[:3], *list(more)[:3]]:
            print(f"        {key}")


def credentials(run: Run):
    run.table.check("starts with the users of `tidegate passwd`", run.gateway.start() < 30)
    for version in ("mqttv311", "mqttv5"):
        wrong = Login(run.gateway.port, "pump-7", "guess")
        refused = mosquitto_pub(wrong, "sensors/pump-7/x", ["1"], "-V", version, "-A", ELSEWHERE)
        run.table.check(f"a wrong password is refused ({version})", refused.returncode != 0, first_line(refused.stderr))
        unnamed = mosquitto_pub(Login(run.gateway.port), "sensors/pump-7/x", ["1"], "-V", version, "-A", ELSEWHERE)
        run.table.check(f"a client without a name is refused ({version})", unnamed.returncode != 0, first_line(unnamed.stderr))


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def mosquitto(run: Run):
    all_of_it = [
        MosquittoSub(run.login("anna"), run.folder / f"all-{version}", "#", "-V", version, "-q", qos)
        for version, qos in (("mqttv311", "1"), ("mqttv5", "2"))
    ]
    time.sleep(1)
    sent = 0
    for version in ("mqttv311", "mqttv5"):
        for qos in "012":
            values = [round(20 + n * 0.37 + int(qos), 3) for n in range(40)]
            payloads = run.payloads("pump-7", f"{version}-q{qos}", values)
            done = mosquitto_pub(run.login("pump-7"), f"sensors/pump-7/{version}-q{qos}", payloads, "-V", version, "-q", qos)
            run.table.check(f"mosquitto_pub {version} QoS {qos} ends well", done.returncode == 0, done.stderr.strip())
            sent += len(values)
    time.sleep(1)
    for subscriber, version in zip(all_of_it, ("3.1.1", "5")):
        heard = [message for message in subscriber.heard() if message.topic.startswith("sensors/")]
        run.table.equal(f"a subscriber of MQTT {version} hears every message once", len(set(heard)), sent)
        run.table.equal(f"... and none twice ({version})", len(heard), sent)
        subscriber.end()


def retained_and_will(run: Run):
    [payload] = run.payloads("pump-7", "kept", [7.5])
    mosquitto_pub(run.login("pump-7"), "sensors/pump-7/kept", [payload], "-r", "-q", "1")
    later = MosquittoSub(run.login("anna"), run.folder / "later", "sensors/pump-7/kept", "-V", "mqttv5")
    kafka.wait_for(lambda: len(later.heard()) > 0, 5)
    run.table.equal("a later subscriber gets the retained message", [m[:1] + m[3:] for m in later.heard()], [(True, payload)])
    later.end()
    # A topic of readings, on purpose: a will is for its subscribers, and must not come out as a reading.
    will = "0"
    mortal = MosquittoSub(
        run.login("pump-7"), run.folder / "mortal", "sensors/pump-7/command/#", "--will-topic", "sensors/pump-7/state",
        "--will-payload", will, "--will-qos", "1",
    )  # fmt: skip
    witness = MosquittoSub(run.login("anna"), run.folder / "witness", "sensors/pump-7/state")
    time.sleep(1)
    mortal.end()
    kafka.wait_for(lambda: len(witness.heard()) > 0, 5)
    run.table.equal("the will of a client that is killed is published", [m.payload for m in witness.heard()], [will])
    witness.end()


def python_clients(run: Run):
    for version, name in ((MQTTv311, "3.1.1"), (MQTTv5, "5")):
        client = Paho(run.login("press-1"), f"press-{name}", version)
        # What is published with QoS 0 before the connection stands is lost by right.
        client.connected.wait(10)
        signal = f"paho-{version}"
        for qos in (0, 1, 2):
            for payload in run.payloads("press-1", signal, [round(n * 1.1 + qos, 3) for n in range(60)]):
                client.publish(f"sensors/press-1/{signal}", payload, qos=qos)
        run.table.check(f"paho-mqtt {name}: everything is acknowledged", client.wait_acknowledged(), f"{len(client.sent)} messages")
        client.end()


def bad_input(run: Run):
    errors = MosquittoSub(run.login("anna"), run.folder / "errors", f"tidegate/{run.gateway.id}/errors")
    client = Paho(run.login("pump-7"), "bad-input")
    client.connected.wait(10)
    time.sleep(1)
    nonsense = ["soup", '{"ts": 1', '{"ts": 1, "value": "x"}', ""]
    for text in nonsense:
        reason = client.reason(client.publish("sensors/pump-7/pressure", text))
        run.table.equal(f"the answer to {text!r} says why", reason, "Payload format invalid")
    outside = client.reason(client.publish("sensors/press-1/pressure", "1"))
    run.table.equal("a topic outside of the client's rights is refused", outside, "Not authorized")
    [good] = run.payloads("pump-7", "pressure", [50.0])
    run.table.check("the next good reading is taken", client.reason(client.publish("sensors/pump-7/pressure", good)) is not None)
    run.table.equal("... by the same connection", client.disconnects, 0)
    kafka.wait_for(lambda: len(errors.heard()) >= len(nonsense), 5)
    run.table.equal("each bad payload is on the topic of errors", [m.json()["payload"] for m in errors.heard()], nonsense)
    errors.end()
    client.end()


def alerts(run: Run):
    topic = f"tidegate/{run.gateway.id}/alert/pump-7/pressure/high"
    live = MosquittoSub(run.login("anna"), run.folder / "alerts", topic)
    time.sleep(1)
    for value, state in ((95.5, "raised"), (80.0, "cleared")):
        payloads = run.payloads("pump-7", "pressure", [value])
        mosquitto_pub(run.login("pump-7"), "sensors/pump-7/pressure", payloads, "-q", "1")
        kafka.wait_for(lambda state=state: state in [m.json()["state"] for m in live.heard()], 5)
        later = MosquittoSub(run.login("anna"), run.folder / f"alert-{state}", topic)
        kafka.wait_for(lambda later=later: len(later.heard()) > 0, 5)
        run.table.equal(f"the alert is retained as {state}", [(m.retained, m.json()["state"]) for m in later.heard()], [(True, state)])
        later.end()
    told = [(m.json()["state"], m.json()["value"]) for m in live.heard()]
    run.table.equal("a subscriber hears it raised, then cleared", told, [("raised", 95.5), ("cleared", 80.0)])
    live.end()
    run.arrived("all of that is in Kafka, once")
    found = [(item.rule, item.state, item.value) for item in kafka.items("edge.alerts", run.gateway.id)]
    run.table.equal("both are in edge.alerts", found, [("high", "raised", 95.5), ("high", "cleared", 80.0)])
    raised = kafka.read("edge.alerts", run.gateway.id)[0]
    carries = [
        record.time_ms
        for record in kafka.read("edge.telemetry", run.gateway.id)
        for row in record.message().items
        if row.value == 95.5 and row.sensor.signal == "pressure"
    ]
    run.table.check("the alert went ahead of its batch", carries and raised.time_ms < carries[0], f"{carries[0] - raised.time_ms} ms")


def aggregates(run: Run):
    expected = expected_windows(run.expected)
    kafka.wait_for(lambda: found_windows(run.gateway.id).keys() >= expected.keys(), ARRIVE_S_MAX)
    found = found_windows(run.gateway.id)
    missing = expected.keys() - found.keys()
    run.table.check("every window is in edge.aggregates", not missing, f"{len(expected)} windows, {len(missing)} missing")
    wrong = [key for key, window in expected.items() if key in found and differs(window, found[key])]
    run.table.check(f"the averages are the computed ones, to {RELATIVE}", not wrong, wrong[:2])


def expected_windows(readings: Counter) -> dict:
    series: dict = {}
    for device, signal, time_ms, value in readings:
        series.setdefault((device, signal), []).append(Reading(time_ms, float(value)))
    return {
        (*sensor, window["start_ms"]): window
        for sensor, values in series.items()
        for window in averages(values, WINDOW_MS, (-1e140, 1e140))
    }


def found_windows(gateway: str) -> dict:
    newest: dict = {}
    for item in kafka.items("edge.aggregates", gateway):
        key = (item.sensor.device, item.sensor.signal, item.start_ms)
        if item.kind == "tumbling" and (key not in newest or newest[key].revision <= item.revision):
            newest[key] = item
    return newest


def differs(expected: dict, found) -> bool:
    stats = found.stats
    exact = stats is not None and all(getattr(stats, name) == expected[name] for name in ("n", "min", "max", "first", "last"))
    return not exact or abs(stats.mean - expected["mean"]) > RELATIVE * abs(expected["mean"])


def envelopes(run: Run):
    records = [record for topic in ("telemetry", "aggregates", "alerts") for record in kafka.read(f"edge.{topic}", run.gateway.id)]
    ids = [record.headers["ce_id"] for record in records]
    run.table.check("every ce_id is there once", len(set(ids)) == len(ids) > 0, f"{len(ids)} records")
    wanted = {"ce_specversion": "1.0", "ce_source": f"tidegate/{run.gateway.id}"}
    run.table.check("the headers are those of CloudEvents 1.0", all(wanted.items() <= r.headers.items() for r in records))
    run.table.equal("types", {r.headers["ce_type"] for r in records}, {f"tidegate.{k}.v1" for k in ("telemetry", "aggregate", "alert")})
    keys = {record.topic: record.key for record in records}
    expected = {"edge.telemetry": run.gateway.id, "edge.aggregates": run.gateway.id, "edge.alerts": "pump-7"}
    run.table.equal("keys: the gateway for batches, the device for alerts", keys, expected)
    marks = kafka.read("edge.watermarks", run.gateway.id)
    newest = json.loads(marks[-1].value) if marks else {}
    highest = max(int(identity.split("/")[2].split(".")[0]) for identity in ids)
    run.table.equal("the watermark is that of the last record", max(newest.get("sequences", [0])), highest)
    run.table.equal("... under the key of the gateway", {mark.key for mark in marks}, {run.gateway.id})


def outage(run: Run):
    if not kafka.is_ours():
        print("        not run: the broker is not that of tests/kafka/up")
        return
    client = Paho(run.login("press-1"), "outage")
    kafka.control("kill")
    begun = time.monotonic()
    while time.monotonic() - begun < OUTAGE_S:
        for payload in run.payloads("press-1", "outage", [round(time.monotonic() - begun, 3)]):
            client.publish("sensors/press-1/outage", payload)
        time.sleep(0.02)
    run.table.check("without Kafka every reading is acknowledged", client.wait_acknowledged(), f"{len(client.sent)} in {OUTAGE_S:.0f} s")
    kafka.control("start")
    run.arrived("after the outage nothing is lost or doubled", DRAIN_S_MAX)
    times = [row.time_ms for row in kafka.rows(run.gateway.id) if row.sensor.signal == "outage"]
    run.table.check("the backlog came in its order", times == sorted(times))
    client.end()


def restarts(run: Run):
    run.table.equal("SIGTERM ends it with", run.gateway.stop(), 0)
    run.gateway.start()
    publish_some(run, "restart")
    run.table.equal("SIGKILL ends it with", run.gateway.kill(), SIGKILLED)
    run.gateway.start()
    publish_some(run, "restart")
    run.arrived("after a stop and a kill nothing is lost or doubled")


def publish_some(run: Run, signal: str):
    client = Paho(run.login("press-1"), "some")
    for payload in run.payloads("press-1", signal, [1.0, 2.0, 3.0, 4.0]):
        client.publish(f"sensors/press-1/{signal}", payload)
    run.table.check(f"readings of {signal} are acknowledged", client.wait_acknowledged())
    client.end()


def lost_store(run: Run):
    before = epochs(run)
    run.gateway.stop()
    run.gateway.store.rename(run.gateway.folder / "store-taken-away")
    run.gateway.start()
    publish_some(run, "new-store")
    run.arrived("with a new store nothing is lost or doubled")
    run.table.equal("its records are of the next epoch", epochs(run) - before, {max(before) + 1})
    envelopes_are_unique(run)


def corrupt_store(run: Run):
    before = epochs(run)
    run.gateway.stop()
    database = run.gateway.store / "tidegate.db"
    content = bytearray(database.read_bytes())
    for at in range(0, len(content), 97):
        content[at] ^= 0x5A
    database.write_bytes(content)
    run.gateway.start()
    aside = [file.name for file in run.gateway.store.iterdir() if "corrupt" in file.name]
    run.table.check("a corrupt store is moved aside", bool(aside), aside)
    told = kafka.wait_for(lambda: bool(run.gateway.log_lines("moved aside")), 5)
    run.table.check("... and the log says so", told, run.gateway.last_words(3) if not told else "")
    publish_some(run, "after-corrupt")
    run.arrived("it goes on with a new one; nothing is lost or doubled")
    run.table.equal("its records are of the next epoch", epochs(run) - before, {max(before) + 1})
    envelopes_are_unique(run)


def epochs(run: Run) -> set:
    return {int(record.headers["ce_id"].split("/")[1]) for record in kafka.read("edge.telemetry", run.gateway.id)}


def envelopes_are_unique(run: Run):
    ids = [r.headers["ce_id"] for topic in ("telemetry", "aggregates", "alerts") for r in kafka.read(f"edge.{topic}", run.gateway.id)]
    run.table.check("no ce_id is there twice", len(ids) == len(set(ids)), f"{len(ids)} records")


def bad_config(run: Run):
    text = run.gateway.config.read_text()
    cases = {
        "a misspelt key": ('average = "1s"', 'avrage = "1s"', "avrage"),
        "a wrong type": ('batch_interval = "3s"', "batch_interval = true", "batch_interval"),
        "a limit that makes no sense": ("range = [0.0, 200.0]", "range = [200.0, 0.0]", "range"),
    }
    for name, (good, bad, key) in cases.items():
        file = run.folder / "bad.toml"
        file.write_text(text.replace(good, bad))
        line = 1 + next(number for number, line in enumerate(file.read_text().splitlines()) if bad in line)
        for verb in ("run", "check"):
            done = run.gateway.run(verb, "--config", str(file))
            run.table.equal(f"{verb} with {name} ends with", done.returncode, 78)
            named = f"bad.toml:{line}:" in done.stderr and key in done.stderr
            run.table.check("... and names file, line and key", named, "" if named else done.stderr)


def main() -> int:
    end_on_sigterm()
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), table)
        try:
            parts = (
                credentials, mosquitto, retained_and_will, python_clients, bad_input, alerts, aggregates, envelopes, outage,
                restarts, lost_store, corrupt_store, bad_config,
            )  # fmt: skip
            for part in parts:
                table.part(part.__name__.replace("_", " "), lambda part=part: part(run))
                if table.failed and not run.gateway.is_running():
                    print(run.gateway.last_words())
        finally:
            run.gateway.end()
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
