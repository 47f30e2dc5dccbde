"""Reads the value of any record of a gateway, whichever `format` it is set to, into the same items as tidegate_batch.

    from tidegate_forms import decode
    message = decode(record.value(), dict(record.headers()))

The headers `content-type` and `ce_type` say what a value is. JSON needs nothing but Python; protobuf needs the packages
protobuf and grpcio-tools, which compiles gateway/wire/tidegate.proto when the first such value comes.
"""

import json
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Dict, Optional

from tidegate_batch import Alert, Gap, Malformed, Message, Row, Sensor, Sketch, Stats, Summary
from tidegate_batch import decode as decode_batch

PROTO = Path(__file__).parents[3] / "gateway" / "wire" / "tidegate.proto"
NAMES = {
    "tidegate.telemetry.v1": "Telemetry",
    "tidegate.aggregate.v1": "Aggregates",
    "tidegate.alert.v1": "Alert",
    "tidegate.gap.v1": "Gap",
}


def decode(value: bytes, headers: Dict[str, str]) -> Message:
    """Raises Malformed, or what the parsers of JSON and protobuf raise."""
    content, name = headers.get("content-type", ""), NAMES.get(headers.get("ce_type", ""))
    if content.startswith("application/vnd.tidegate."):
        return decode_batch(value)
    if name is None:
        raise Malformed(f"records of type {headers.get('ce_type')} are not known here")
    if content == "application/json":
        return message_of(name, json.loads(value))
    if content == "application/protobuf":
        return message_of(name, fields_of(message_class(name).FromString(value)))
    raise Malformed(f"content type {content} is not known here")


def message_of(name: str, fields: dict) -> Message:
    """The items of a message that is given by the names of its fields."""
    gateway, at_ms, clock = fields["gateway"], fields["at"], fields.get("clock", "synced")
    if name == "Telemetry":
        return Message("telemetry", gateway, at_ms, [row_of(item) for item in fields["readings"]], clock)
    if name == "Aggregates":
        return Message("aggregates", gateway, at_ms, [summary_of(item) for item in fields["summaries"]], clock)
    if name == "Alert":
        return Message("alert", gateway, at_ms, [alert_of(fields)], clock)
    gap = Gap(fields["lane"], fields["reason"], fields["from"], fields["to"], fields["count"])
    return Message("gap", gateway, at_ms, [gap])


def sensor_of(item: dict) -> Sensor:
    """The id is the gateway's own business, and stands in batches only."""
    return Sensor(-1, item["device"], item["signal"], item["unit"])


def number(value) -> Optional[float]:
    """NaN and the infinities are words in JSON; both forms may leave out what is not there."""
    return None if value is None else float(value)


def row_of(item: dict) -> Row:
    raw, value = number(item.get("raw")), number(item.get("value"))
    quality, reasons, left_out = item["quality"], list(item["reasons"]), item.get("left_out", 0)
    return Row(sensor_of(item), item["time"], item["arrival"], raw, value, quality, reasons, left_out)


def summary_of(item: dict) -> Summary:
    return Summary(
        sensor_of(item), item["kind"], item["start"], item["length_ms"], stats_of(item), item["uncertain"], item["bad"],
        number(item.get("ewma")), item["revision"], item["partial"], sketch_of(item.get("sketch")),
        item.get("clock", "synced"),
    )  # fmt: skip


def stats_of(item: dict) -> Optional[Stats]:
    if item["n"] == 0:
        return None
    numbers = (number(item[name]) for name in ("mean", "m2", "min", "max", "first", "last", "integral"))
    return Stats(item["n"], item["covered_ms"], item["first_at"], item["last_at"], *numbers)


def sketch_of(item: Optional[dict]) -> Optional[Sketch]:
    return None if item is None else Sketch(item["level"], dict(zip(item["bins"], item["counts"])))


def alert_of(item: dict) -> Alert:
    return Alert(
        item["id"], sensor_of(item), item["rule"], item["state"], item["severity"], item["at"], item["since"],
        number(item.get("value")), number(item.get("limit")), item["why"],
        item["kind"], item["transition"], item["standing"], item.get("first_out") or 0,
    )  # fmt: skip


# --- protobuf ---------------------------------------------------------------------------------------------------------


def message_class(name: str):
    """A class of the proto file."""
    return classes()[f"tidegate.v1.{name}"]


@lru_cache(maxsize=1)
def classes():
    from google.protobuf import descriptor_pb2, message_factory
    from grpc_tools import protoc

    with tempfile.NamedTemporaryFile() as compiled:
        if protoc.main(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={compiled.name}", str(PROTO)]) != 0:
            raise RuntimeError(f"{PROTO} cannot be compiled")
        files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read())
    return message_factory.GetMessages(files.file)


def fields_of(message) -> dict:
    """The fields by name: words for enums, nothing for what is optional and not there."""
    fields = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.has_presence and not message.HasField(field.name):
            continue
        if field.message_type is not None:
            value = fields_of(value) if field.has_presence else [fields_of(item) for item in value]
        elif field.enum_type is not None:
            value = field.enum_type.values_by_number[value].name
        fields[field.name] = value
    return fields
