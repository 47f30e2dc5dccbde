#!/usr/bin/env python3
"""The tools for the store of a stopped gateway, on what waits while Kafka is away: ls, verify, export, replay --diff, purge; and
what Kafka gets to know of a purge.

Run by tests/kafka/run.
"""

import csv
import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "rig"))
import kafka  # noqa: E402
from gateway import Gateway, end_on_sigterm  # noqa: E402
from kafka import key_of  # noqa: E402
from mqtt import Login, Paho  # noqa: E402
from table import Table  # noqa: E402

NOWHERE = "127.0.0.1:1"
SETTINGS = """
[pipeline]
batch_interval = "1s"
[defaults]
average = "5s"
lateness = "1s"
[[sensor]]
device = "pump"
signal = "flow"
range = [0.0, 100.0]
[[sensor.alerts]]
name = "high"
above = 90.0
"""
FIRST = 1
WAITING = 80
LATER = 40
ARRIVE_S_MAX = 30


class Site:
    """A gateway that has not seen Kafka yet."""

    def __init__(self, folder: Path, table: Table):
        self.table = table
        self.gateway = Gateway(folder, f"offline-{os.getpid()}", NOWHERE, SETTINGS, store='commit_interval = "10ms"\n')
        self.start_ms = int(time.time()) // 60 * 60_000 - 600_000
        self.sent = []

    def send(self, count: int):
        client = Paho(Login(self.gateway.port), f"pump-{len(self.sent)}")
        for _ in range(count):
            time_ms, value = self.start_ms + len(self.sent) * 250, round(10 + len(self.sent) * 1.1, 2)
            client.publish("sensors/pump/flow", json.dumps({"ts": time_ms, "value": value}))
            self.sent.append(("pump", "flow", time_ms, value))
        self.table.check("every reading is acknowledged", client.wait_acknowledged(), f"{count} readings")
        client.end()
        # The batch in which they are closes by the clock.
        time.sleep(2)

    def queue(self, verb: str, *arguments: str):
        return self.gateway.run("queue", verb, "--config", str(self.gateway.config), *arguments)

    def exported(self, lane: str):
        return [json.loads(line) for line in self.queue("export", "--lane", lane).stdout.splitlines()]


def waiting(site: Site):
    site.gateway.start()
    # The first commit of a new store saves the state too: it holds this one in its open batch, and the journal behind has the others.
    site.send(FIRST)
    site.send(WAITING)
    site.table.equal("SIGTERM ends it with", site.gateway.stop(), 0)
    head, *lanes = [line.split() for line in site.queue("ls").stdout.splitlines()]
    listed = {lane[0]: dict(zip(head, lane)) for lane in lanes}
    site.table.equal("ls: so many readings wait", listed["telemetry"]["readings"], str(FIRST + WAITING))
    site.table.equal("verify: all is sound", site.queue("verify").returncode, 0)
    found = Counter(key_of(it["device"], it["signal"], it["time"], it["raw"]) for it in site.exported("telemetry"))
    site.table.equal("export: every reading as it was sent", found == Counter(key_of(*it) for it in site.sent), True)
    for lane in ("telemetry", "aggregates", "alerts", "gaps"):
        table = list(csv.DictReader(io.StringIO(site.queue("export", "--lane", lane, "--format", "csv").stdout)))
        site.table.equal(f"export: the table of {lane} has a row for each", len(table), len(site.exported(lane)))
    middle_ms = site.sent[len(site.sent) // 2][2]
    chosen = ("export", "--config", str(site.gateway.config), "--sensor", "pu*/flow")
    halves = [len(site.gateway.run(*chosen, end, str(middle_ms)).stdout.splitlines()) for end in ("--to", "--from")]
    site.table.equal("export: both halves by time", halves, [len(site.sent) // 2, len(site.sent) - len(site.sent) // 2])
    alerts = [(it["rule"], it["state"]) for it in site.exported("alerts")]
    site.table.equal("export: the alert that was raised", alerts, [("high", "raised")])


def diff(site: Site):
    new = site.gateway.folder / "new.toml"
    config = site.gateway.config.read_text()

    def run():
        return site.gateway.run("replay", "--config", str(site.gateway.config), "--diff", str(new))

    def lines(output: str):
        return {line.split()[0]: [int(word) for word in line.split()[1:]] for line in output.splitlines()[2:5]}

    new.write_text(config)
    same = run()
    site.table.equal("replay --diff with the same config ends with", same.returncode, 0)
    site.table.equal("... and every value is the same", lines(same.stdout)["values"], [FIRST + WAITING, 0, 0, 0])
    new.write_text(config.replace("range = [0.0, 100.0]", "range = [0.0, 50.0]").replace("above = 90.0", "above = 40.0"))
    other = run()
    site.table.equal("with a narrower range it ends with", other.returncode, 1)
    refused = sum(50 < value <= 100 for *_, value in site.sent[FIRST:])
    site.table.equal("... and shows the values that are refused", lines(other.stdout)["values"], [FIRST + WAITING - refused, refused, 0, 0])
    site.table.equal("... and the alert that only it raises", lines(other.stdout)["alerts"][3], 1)
    site.table.check("... in words", "nothing -> at" in other.stdout, other.stdout.splitlines()[-1][:60])


def purge(site: Site):
    asked = site.queue("purge")
    site.table.equal("purge without --yes ends with", asked.returncode, 1)
    site.table.check("... and says what it is about", f"telemetry: {FIRST + WAITING} readings" in asked.stdout, asked.stdout.splitlines()[-1])
    site.table.equal("... and nothing is gone", len(site.exported("telemetry")), FIRST + WAITING)
    summaries = len(site.exported("aggregates"))
    done = site.queue("purge", "--yes")
    site.table.equal("purge --yes ends with", done.returncode, 0)
    site.table.equal("... and the batches are gone", (site.exported("telemetry"), site.exported("aggregates")), ([], []))
    gaps = {it["lane"]: (it["reason"], it["count"]) for it in site.exported("gaps")}
    expected = {"telemetry": ("purged", FIRST + WAITING), "aggregates": ("purged", summaries)}
    site.table.equal("... a gap for each lane says how much", gaps, expected)
    site.table.equal("the alert stays", len(site.exported("alerts")), 1)


def upstream(site: Site):
    config = site.gateway.config
    config.write_text(config.read_text().replace(NOWHERE, kafka.bootstrap()))
    site.gateway.start()
    del site.sent[:]
    site.start_ms += 300_000
    site.send(LATER)
    expected = Counter(key_of(*reading) for reading in site.sent)
    found = kafka.wait_for_readings(site.gateway.id, expected, ARRIVE_S_MAX)
    site.table.equal("Kafka gets what came later, and nothing that was purged", found == expected, True)
    records = kafka.read("edge.telemetry", site.gateway.id)
    gaps = [item for record in records for item in record.message().items if record.message().kind == "gap"]
    counts = {gap.lane: (gap.reason, gap.count) for gap in gaps}
    site.table.equal("... and a gap for each lane, once", (len(gaps), counts["telemetry"]), (2, ("purged", FIRST + WAITING)))
    topics = ("edge.telemetry", "edge.aggregates", "edge.alerts")
    ids = [record.headers["ce_id"] for topic in topics for record in kafka.read(topic, site.gateway.id)]
    site.table.equal("every ce_id is there once", len(ids), len(set(ids)))
    alerts = [(item.rule, item.state) for item in kafka.items("edge.alerts", site.gateway.id)]
    site.table.check("... and the alert", ("high", "raised") in alerts, alerts)


def main() -> int:
    end_on_sigterm()
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), table)
        try:
            for part in (waiting, diff, purge, upstream):
                table.part(part.__name__, lambda part=part: part(site))
        finally:
            site.gateway.end()
    return table.end()


if __name__ == "__main__":
    sys.exit(main())
