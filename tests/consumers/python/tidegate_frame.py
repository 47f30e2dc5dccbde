#!/usr/bin/env python3
"""Messages of gateways as pandas tables, and as Parquet.

    from tidegate_frame import readings
    frame = readings(message for each record)

    kcat -C -b HOST -t edge.telemetry -e -q -f '%R%s' | tidegate_frame.py readings.parquet

The gateway itself writes no Parquet: the library for that would be larger than the gateway is. `tidegate export` gives CSV and JSON
of what waits on a box, which pandas reads too: `pandas.read_json(file, lines=True).to_parquet(...)`.
"""

import sys
from typing import Iterable

import pandas as pd
from tidegate_batch import Message, decode, framed

READING_TYPES = {
    "gateway": "category",
    "device": "category",
    "signal": "category",
    "unit": "category",
    "time": "datetime64[ms, UTC]",
    "arrival": "datetime64[ms, UTC]",
    "value": "float64",
    "raw": "float64",
    "quality": "category",
    "reasons": "category",
}


def readings(messages: Iterable[Message]) -> pd.DataFrame:
    """A row for each reading; a value that is not there is NaN, reasons are joined by |."""
    rows = [
        (
            message.gateway, row.sensor.device, row.sensor.signal, row.sensor.unit, row.time_ms, row.arrival_ms,
            row.value, row.raw, row.quality, "|".join(row.reasons),
        )
        for message in messages
        if message.kind == "telemetry"
        for row in message.items
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(READING_TYPES))
    for time in ("time", "arrival"):
        frame[time] = pd.to_datetime(frame[time], unit="ms", utc=True)
    return frame.astype(READING_TYPES)


def main(arguments) -> int:
    if len(arguments) != 1:
        print(__doc__)
        return 64
    frame = readings(decode(record) for record in framed(sys.stdin.buffer))
    frame.to_parquet(arguments[0], compression="zstd", index=False)
    print(f"{len(frame)} readings")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
