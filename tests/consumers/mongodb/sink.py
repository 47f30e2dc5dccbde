#!/usr/bin/env python3
"""Keeps what a fleet sends in MongoDB: readings, summaries and alerts, each as one document, whatever `format` the gateways use.

    sink.py --kafka HOST:PORT --mongo mongodb://HOST:PORT/DATABASE [--gateways PREFIX] [--group NAME] [--until-end]

Every document has an id that follows from what it is: a reading's is `ce_id` and its place in the batch, a summary's its window, an
alert's its occurrence. Offsets are committed after the documents are written. So a crash between the two writes the same documents once more,
and nothing is lost or doubled.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Iterator, List, Tuple

from confluent_kafka import Consumer, KafkaError, Message
from pymongo import MongoClient, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))
from tidegate_forms import decode  # noqa: E402

TOPICS = ["edge.telemetry", "edge.aggregates", "edge.alerts"]
RECORDS_PER_WRITE = 200
POLL_S = 1.0
DUPLICATE_KEY = 11000


def operations(record: Message, gateways: str) -> Iterator[Tuple[str, object]]:
    """What a record changes, by collection."""
    headers = {key: (value or b"").decode() for key, value in record.headers() or []}
    identity = headers.get("ce_id", "")
    if not identity.startswith(gateways):
        return
    message = decode(record.value(), headers)
    # Another life of the gateway's store counts its alerts anew.
    epoch = "/".join(identity.split("/")[:2])
    for place, item in enumerate(message.items):
        document = {"gateway": message.gateway, **flat(asdict(item))}
        if message.kind == "telemetry":
            yield "readings", upsert(f"{identity}#{place}", document)
        elif message.kind == "aggregates":
            key = "/".join(str(document[name]) for name in ("gateway", "device", "signal", "kind", "length_ms", "start_ms"))
            yield "summaries", upsert_newer(key, document)
        elif message.kind == "alert":
            yield "alerts", upsert(f"{epoch}/{item.id}/{item.state}", document)
        else:
            yield "gaps", upsert(identity, document)


def flat(item: dict) -> dict:
    """The sensor's names stand beside the numbers; keys of documents are text."""
    sensor = item.pop("sensor", {})
    sketch = item.get("sketch")
    if sketch is not None:
        sketch["bins"] = [[key, count] for key, count in sketch["bins"].items()]
    return {**{name: sensor[name] for name in ("device", "signal", "unit") if name in sensor}, **item}


def upsert(key: str, document: dict) -> ReplaceOne:
    return ReplaceOne({"_id": key}, document, upsert=True)


def upsert_newer(key: str, document: dict) -> UpdateOne:
    """Where the stored revision is as high, the filter finds nothing and the insert fails by its id, which is as it should be."""
    return UpdateOne({"_id": key, "revision": {"$lt": document["revision"]}}, {"$set": document}, upsert=True)


def write(database, changes: List[Tuple[str, object]]):
    for collection in {name for name, _ in changes}:
        of_it = [change for name, change in changes if name == collection]
        try:
            # In their order: alerts and revisions may follow each other within one write.
            for start in range(0, len(of_it), 1000):
                database[collection].bulk_write(of_it[start : start + 1000], ordered=collection != "summaries")
        except BulkWriteError as error:
            if any(fault["code"] != DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise


def run(arguments) -> int:
    consumer = Consumer({
        "bootstrap.servers": arguments.kafka,
        "group.id": arguments.group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": arguments.until_end,
    })  # fmt: skip
    consumer.subscribe(TOPICS)
    ended = set()
    written = 0
    with MongoClient(arguments.mongo) as client:
        database = client.get_default_database()
        while not (arguments.until_end and ended and len(ended) == len(consumer.assignment())):
            records = consumer.consume(RECORDS_PER_WRITE, POLL_S)
            at_end = [record for record in records if record.error() and record.error().code() == KafkaError._PARTITION_EOF]
            ended.update((record.topic(), record.partition()) for record in at_end)
            good = [record for record in records if not record.error()]
            changes = [change for record in good for change in operations(record, arguments.gateways)]
            if changes:
                write(database, changes)
                written += len(changes)
            if good:
                consumer.commit(asynchronous=False)
    consumer.close()
    print(f"{written} documents written")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--mongo", required=True)
    parser.add_argument("--gateways", default="", help="only those whose id begins so")
    parser.add_argument("--group", default="tidegate-mongodb")
    parser.add_argument("--until-end", action="store_true", help="ends once it has read all that is there")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
