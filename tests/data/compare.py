#!/usr/bin/env python3
"""Compares the averages that Tidegate put into Kafka with independent ones.

    kcat -C -b HOST -t edge.aggregates -X isolation.level=read_committed -e -q -f '%R%s' \\
        | tests/consumers/python/tidegate_batch.py --framed >actual
    averages.py ... >expected
    compare.py expected actual

Of several summaries of one window the one with the highest revision holds. Windows without a value are not compared. Means
must agree to 1e-9 of the mean, deviations to 1e-9 of the larger of mean and deviation (below that a double has no digits
left), everything else exactly. Prints what differs and the totals; ends with 1 if anything differs or nothing was compared.
"""

import json
import sys
from typing import Dict, Iterable, Iterator, List, Tuple

RELATIVE = 1e-9
EXACT = ("n", "bad", "min", "max", "first", "last")

Window = Tuple[str, str, int, int]


def expected_windows(lines: Iterable[str]) -> Dict[Window, dict]:
    """What averages.py printed."""
    windows = {}
    for fields in map(json.loads, lines):
        if fields["n"] > 0:
            windows[fields["device"], fields["signal"], fields["start_ms"], fields["length_ms"]] = fields
    return windows


def actual_windows(lines: Iterable[str]) -> Dict[Window, dict]:
    """What tidegate_batch.py printed: tumbling windows, each in its highest revision."""
    newest = {}
    for fields in map(json.loads, lines):
        if fields["message"] != "aggregates" or fields["kind"] != "tumbling":
            continue
        sensor = fields["sensor"]
        window = (sensor["device"], sensor["signal"], fields["start_ms"], fields["length_ms"])
        if window not in newest or fields["revision"] >= newest[window]["revision"]:
            newest[window] = fields
    return {window: flat(fields) for window, fields in newest.items() if fields["stats"]}


def flat(fields: dict) -> dict:
    """The statistics with the same names as the expected ones."""
    stats = fields["stats"]
    stddev = (stats["m2"] / (stats["n"] - 1)) ** 0.5 if stats["n"] > 1 else None
    return {**stats, "bad": fields["bad"], "stddev": stddev}


def differences(expected: Dict[Window, dict], actual: Dict[Window, dict]) -> Iterator[str]:
    """One line for each window that is missing, too many or different."""
    for window in sorted(expected.keys() | actual.keys()):
        if window not in actual:
            yield f"{window}: missing in Kafka"
        elif window not in expected:
            yield f"{window}: in Kafka, but not expected"
        else:
            yield from (f"{window}: {text}" for text in differing(expected[window], actual[window]))


def differing(expected: dict, actual: dict) -> Iterator[str]:
    for name in EXACT:
        if expected[name] != actual[name]:
            yield f"{name} is {actual[name]!r}, expected {expected[name]!r}"
    mean = abs(expected["mean"])
    if abs(expected["mean"] - actual["mean"]) > RELATIVE * mean:
        yield f"mean is {actual['mean']!r}, expected {expected['mean']!r}"
    if (expected["stddev"] is None) != (actual["stddev"] is None):
        yield f"stddev is {actual['stddev']!r}, expected {expected['stddev']!r}"
    elif expected["stddev"] is not None:
        if abs(expected["stddev"] - actual["stddev"]) > RELATIVE * max(mean, expected["stddev"]):
            yield f"stddev is {actual['stddev']!r}, expected {expected['stddev']!r}"


def main(arguments: List[str]) -> int:
    if len(arguments) != 2:
        print(__doc__)
        return 64
    with open(arguments[0], encoding="utf-8") as expected_lines, open(arguments[1], encoding="utf-8") as actual_lines:
        expected, actual = expected_windows(expected_lines), actual_windows(actual_lines)
    found = list(differences(expected, actual))
    for line in found[:20]:
        print(line)
    print(f"{len(expected)} windows expected, {len(actual)} in Kafka, {len(found)} differences")
    return 1 if found or not expected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
