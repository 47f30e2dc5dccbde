#!/usr/bin/env python3
"""Computes the averages of a CSV file over tumbling windows, independently of Tidegate: for comparing with what is in Kafka.

Every window begins at a multiple of its length since the Unix epoch (UTC) and does not hold its end. A reading belongs to
the window of its own time. Left out are cells that are no finite number, values outside of the range, and readings that are
there already with the same time and the same value. Sums are exact (math.fsum), so the result has no method of its own.

    averages.py FILE --time-column NAME --columns A,B,.. --device NAME --window-ms N
                [--delimiter ';'] [--range LOW,HIGH] [--shift-ms N]

prints one JSON object for each window that has a reading: device, signal, start_ms, length_ms, n, bad, mean, stddev, min,
max, first, last.
"""

import argparse
import csv
import json
import math
import sys
from collections import defaultdict
from datetime import datetime, timezone
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple


class Reading(NamedTuple):
    """A cell: the value is None where it is empty or no number."""

    time_ms: int
    value: Optional[float]


def time_ms_of(text: str) -> int:
    """Milliseconds since the epoch out of an ISO 8601 time (UTC unless it says otherwise) or out of such a number."""
    try:
        return int(text)
    except ValueError:
        time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def value_of(text: str) -> Optional[float]:
    """The number in a cell, if it is one and finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_columns(lines: Iterable[str], time_column: str, columns: List[str], delimiter: str) -> Dict[str, List[Reading]]:
    """The readings of each column, in the order of the file."""
    series: Dict[str, List[Reading]] = {column: [] for column in columns}
    for row in csv.DictReader(lines, delimiter=delimiter):
        time_ms = time_ms_of(row[time_column])
        for column in columns:
            series[column].append(Reading(time_ms, value_of(row[column])))
    return series


def averages(readings: Iterable[Reading], window_ms: int, limits: Tuple[float, float]) -> Iterator[dict]:
    """The windows with at least one reading, in order of time."""
    windows = defaultdict(list)
    seen = set()
    for reading in readings:
        if reading.value is None or reading not in seen:
            seen.add(reading)
            windows[reading.time_ms // window_ms].append(reading)
    for number in sorted(windows):
        summary = summarize(windows[number], limits)
        yield {"start_ms": number * window_ms, "length_ms": window_ms, **summary}


def summarize(readings: List[Reading], limits: Tuple[float, float]) -> dict:
    """Numbers of one window. A cell without a number never was a reading, and is not counted as a bad one."""
    numbers = [reading for reading in readings if reading.value is not None]
    good = [reading for reading in numbers if limits[0] <= reading.value <= limits[1]]
    counts = {"n": len(good), "bad": len(numbers) - len(good)}
    if not good:
        return counts
    values = [reading.value for reading in good]
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    # Sorting is stable: of several readings at one time the first one sent stays first.
    by_time = sorted(good, key=lambda reading: reading.time_ms)
    return {
        **counts,
        "mean": mean,
        "stddev": math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else None,
        "min": min(values),
        "max": max(values),
        "first": by_time[0].value,
        "last": by_time[-1].value,
    }


def parse(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--time-column", required=True)
    parser.add_argument("--columns", required=True, type=lambda text: text.split(","))
    parser.add_argument("--device", required=True)
    parser.add_argument("--window-ms", required=True, type=int)
    parser.add_argument("--delimiter", default=",")
    parser.add_argument("--range", default="-inf,inf", type=lambda text: tuple(map(float, text.split(","))))
    parser.add_argument("--shift-ms", default=0, type=int, help="added to every time, as the replay did it")
    return parser.parse_args(arguments)


def main(arguments: List[str]) -> int:
    options = parse(arguments)
    with open(options.file, newline="", encoding="utf-8") as lines:
        series = read_columns(lines, options.time_column, options.columns, options.delimiter)
    for column, readings in series.items():
        shifted = (Reading(time_ms + options.shift_ms, value) for time_ms, value in readings)
        for summary in averages(shifted, options.window_ms, options.range):
            print(json.dumps({"device": options.device, "signal": column, **summary}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
