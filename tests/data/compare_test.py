"""The comparison finds what differs, and lets pass what rounding does."""

import json
import unittest

from averages import Reading, averages
from compare import actual_windows, differences, expected_windows

WINDOW = {"device": "pump", "signal": "temp", "start_ms": 0, "length_ms": 1000}


def expected(**changed):
    (summary,) = averages([Reading(1, 20.0), Reading(2, 21.0), Reading(3, 25.0)], 1000, (0.0, 100.0))
    return expected_windows([json.dumps({**WINDOW, **summary, **changed})])


def record(revision=0, kind="tumbling", start_ms=0, **changed):
    stats = {"n": 3, "mean": 22.0, "m2": 14.0, "min": 20.0, "max": 25.0, "first": 20.0, "last": 25.0, **changed}
    sensor = {"device": "pump", "signal": "temp"}
    fields = {"message": "aggregates", "sensor": sensor, "kind": kind, "start_ms": start_ms, "length_ms": 1000}
    return json.dumps({**fields, "stats": stats, "bad": 0, "revision": revision})


class CompareTest(unittest.TestCase):
    def check(self, records, *parts):
        found = list(differences(expected(), actual_windows(records)))
        self.assertEqual(len(found), len(parts), found)
        for text, part in zip(found, parts):
            self.assertIn(part, text)

    def test_equal_windows_agree(self):
        self.check([record()])

    def test_rounding_is_let_pass_and_more_is_not(self):
        self.check([record(mean=22.0 * (1 + 9e-10))])
        self.check([record(mean=22.0 * (1 + 2e-9))], "mean is")

    def test_every_number_is_compared(self):
        self.check([record(min=19.0)], "min is 19.0, expected 20.0")
        self.check([record(m2=14.1)], "stddev is")
        self.check([record(n=1, m2=0.0)], "n is 1", "stddev is None")

    def test_the_highest_revision_holds(self):
        self.check([record(revision=2), record(revision=1, max=99.0)])
        self.check([record(), record(revision=1, max=99.0)], "max is 99.0")

    def test_a_window_too_few_or_too_many_is_told(self):
        self.check([], "missing in Kafka")
        self.check([record(), record(start_ms=1000)], "not expected")
        self.check([record(), record(start_ms=500, kind="sliding")])


if __name__ == "__main__":
    unittest.main()
