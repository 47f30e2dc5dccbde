"""The independent averages against windows that were reckoned by hand, and against numpy."""

import io
import math
import random
import unittest

import numpy

from averages import Reading, averages, read_columns, time_ms_of, value_of

EVERYTHING = (-math.inf, math.inf)


class AveragesTest(unittest.TestCase):
    def check(self, readings, expected, limits=EVERYTHING):
        summaries = averages([Reading(*reading) for reading in readings], 1000, limits)
        told = [(summary["start_ms"], summary["n"], summary.get("mean")) for summary in summaries]
        self.assertEqual(told, expected)

    def test_a_reading_at_the_end_belongs_to_the_next_window(self):
        self.check([(0, 1.0), (999, 3.0), (1000, 5.0)], [(0, 2, 2.0), (1000, 1, 5.0)])

    def test_windows_before_the_epoch_begin_at_multiples_too(self):
        self.check([(-1, 1.0), (0, 2.0)], [(-1000, 1, 1.0), (0, 1, 2.0)])

    def test_what_comes_out_of_order_counts_where_it_belongs(self):
        self.check([(1500, 1.0), (500, 2.0), (1600, 3.0)], [(0, 1, 2.0), (1000, 2, 2.0)])

    def test_an_equal_time_with_another_value_is_no_duplicate(self):
        self.check([(1, 1.0), (1, 2.0), (1, 1.0)], [(0, 2, 1.5)])

    def test_a_value_out_of_range_is_not_averaged(self):
        self.check([(1, 1.0), (2, 65535.0), (3, None), (1001, -1.0)], [(0, 1, 1.0), (1000, 0, None)], limits=(0.0, 100.0))

    def test_ends_are_by_time_and_then_by_order(self):
        (summary,) = averages([Reading(5, 1.0), Reading(9, 2.0), Reading(9, 3.0), Reading(5, 4.0)], 1000, EVERYTHING)
        self.assertEqual((summary["first"], summary["last"]), (1.0, 3.0))

    def test_numpy_agrees(self):
        chance = random.Random(7)
        readings = [Reading(at * 37, chance.gauss(1e6, 0.1)) for at in range(5000)]
        for summary in averages(readings, 60_000, EVERYTHING):
            end = summary["start_ms"] + 60_000
            values = numpy.array([value for at, value in readings if summary["start_ms"] <= at < end])
            self.assertEqual(summary["n"], len(values))
            self.assertAlmostEqual(summary["mean"], values.mean(), delta=1e-9)
            self.assertAlmostEqual(summary["stddev"], values.std(ddof=1), delta=1e-9)


class CellsTest(unittest.TestCase):
    def test_times_are_read_as_utc(self):
        self.assertEqual(time_ms_of("2020-03-09 10:14:33"), 1_583_748_873_000)
        self.assertEqual(time_ms_of("2020-03-09T10:14:33.250+01:00"), 1_583_745_273_250)
        self.assertEqual(time_ms_of("1583748873000"), 1_583_748_873_000)

    def test_cells_without_a_number_have_no_value(self):
        self.assertEqual([value_of(cell) for cell in ["", "NaN", "inf", "n/a", "-1.5"]], [None] * 4 + [-1.5])

    def test_columns_keep_the_order_of_the_file(self):
        lines = io.StringIO("t;a;b\n1970-01-01 00:00:01;5;\n1970-01-01 00:00:00;6;7\n")
        self.assertEqual(
            read_columns(lines, "t", ["b", "a"], ";"),
            {"a": [(1000, 5.0), (0, 6.0)], "b": [(1000, None), (0, 7.0)]},
        )


if __name__ == "__main__":
    unittest.main()
