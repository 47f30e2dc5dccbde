"""The reader against the golden files of the format, bytes made by hand, and bytes that no writer makes."""

import io
import math
import pathlib
import struct
import unittest

import tidegate_batch as batch


def sealed(body: str) -> bytes:
    """The message whose bytes up to the checksum are given as hex."""
    front = bytes.fromhex(body)
    return front + struct.pack("<I", batch.crc32c(front))


# Version 1, kind 4, "box", time -5; lane telemetry, dropped, sequences 7 to 300, 12 readings.
GAP = sealed("01 04 03 626f78 09" "01 01 07 ac02 0c")


GOLDEN = pathlib.Path(__file__).parents[3] / "gateway" / "wire" / "golden"
BASE = 1_767_225_660_000
TEMP = batch.Sensor(0, "pump-1", "temp", "°C")
RPM = batch.Sensor(1, "pump-1", "rpm", "")


class GoldenTest(unittest.TestCase):
    """What gateway/wire/FORMAT.md says of its examples, which are the golden files."""

    def check(self, kind, items, file=None):
        message = batch.decode((GOLDEN / f"{file or kind}-v1.bin").read_bytes())
        self.assertEqual(message, batch.Message(kind, "edge-7", BASE, items))

    def test_telemetry(self):
        def row(sensor, time, lag, raw, value, quality, *reasons):
            return batch.Row(sensor, BASE + time, BASE + time + lag, raw, value, quality, list(reasons))

        rows = [
            row(TEMP, -3000, 5, 20.25, 20.25, "good"),
            row(TEMP, -2001, 5, 20.5, 20.5, "good"),
            row(TEMP, -1000, 5, math.inf, None, "bad", "not_finite"),
            row(TEMP, 0, 5, 85.0, 20.75, "uncertain", "spike"),
            row(RPM, -500, 0, None, -0.0, "uncertain", "filled"),
            row(RPM, -60_500, 60_499, None, None, "bad", "out_of_range", "late"),
        ]
        self.check("telemetry", rows)

    def test_telemetry_of_a_noisy_signal(self):
        jitters = [31, 9, -28, -2, 37, -39, 1, 28, -36, -9, 35, -3, 19, -37, 22, -28]
        lags = [9, 4, 7, 90, 5, 8, 4, 6, 9, 5, 7, 4, 8, 9, 5, 6]
        hundredths = [0, 31, -31, 30, -30, 32, -32, 5, 31, -30, 30, -31, 32, -5, -32, 0]
        rows = []
        for n, (jitter, lag, hundredth) in enumerate(zip(jitters, lags, hundredths)):
            time, value = BASE - 16_000 + 1000 * n + jitter, (2000 + hundredth) / 100
            rows.append(batch.Row(TEMP, time, time + lag, value, value, "good", []))
        self.check("telemetry", rows, "telemetry-noisy")

    def test_telemetry_of_a_converter(self):
        around, drifting = [0, 31, -31, 30, -30, 32, -32, 5], [0, 2, 3, 5, 8, 9, 11, 14]
        rows = []
        for sensor, sixteenths in ((TEMP, around), (RPM, drifting)):
            for n, sixteenth in enumerate(sixteenths):
                time, value = BASE - 8000 + 1000 * n, (336 + sixteenth) / 16
                rows.append(batch.Row(sensor, time, time + 4, value, value, "good", []))
        self.check("telemetry", rows, "telemetry-unit")

    def test_telemetry_of_a_box_whose_clock_was_set_later(self):
        rows = [
            batch.Row(TEMP, BASE - 3000, BASE - 3000, 20.25, 20.25, "good", ["arrival_time", "clock_repaired"]),
            batch.Row(RPM, BASE - 2500, BASE - 2000, 50.0, 50.0, "good", ["clock_repaired"]),
        ]
        message = batch.decode((GOLDEN / "telemetry-repaired-v1.bin").read_bytes())
        self.assertEqual(message, batch.Message("telemetry", "edge-7", BASE, rows, "repaired"))

    def test_an_alert_by_a_clock_that_is_not_set(self):
        message = batch.decode((GOLDEN / "alert-unsynced-v1.bin").read_bytes())
        self.assertEqual((message.clock, message.at_ms, message.items[0].since_ms), ("unsynced", 60_000, 55_000))

    def test_aggregates(self):
        start = BASE - 60_000
        stats = batch.Stats(3, 59_999, start, start + 59_999, 22.0, 14.0, 20.0, 25.0, 20.0, 25.0, 1_304_977.0)
        summaries = [
            batch.Summary(TEMP, "tumbling", start, 60_000, stats, 1, 0, 22.5, 2, False),
            batch.Summary(RPM, "sliding", BASE - 300_000, 300_000, None, 0, 3, None, 0, True),
        ]
        self.check("aggregates", summaries)

    def test_a_session_with_a_sketch(self):
        start = BASE - 40_000
        values = [20.0, 21.0, 25.0, -0.5, 0.0, 21.0]
        message = batch.decode((GOLDEN / "aggregates-sketch-v1.bin").read_bytes())
        (summary,) = message.items
        self.assertEqual((summary.kind, summary.start_ms, summary.length_ms), ("session", start, 30_001))
        self.assertEqual(summary.sketch, sketch_of(values))
        for part, exact in [(0.0, -0.5), (0.3, 0.0), (0.5, 20.0), (0.6, 21.0), (1.0, 25.0)]:
            told = summary.sketch.quantile(part, summary.stats)
            self.assertAlmostEqual(told, exact, delta=abs(exact) / 4096 + 1e-300)

    def test_alert(self):
        why = "92.5 °C is above 90 °C for 5 s"
        self.check("alert", [batch.Alert(300, TEMP, "high", "raised", "critical", BASE, BASE - 5000, 92.5, 90.0, why)])

    def test_alarm(self):
        end = ("acknowledged by anna", "drift", "acknowledged", "acknowledged", 299)
        alarm = batch.Alert(300, TEMP, "wear", "raised", "warning", BASE, BASE - 5000, 9.5, 8.0, *end)
        self.check("alert", [alarm], "alarm")

    def test_gap(self):
        self.check("gap", [batch.Gap("telemetry", "thinned", 1000, 1099, 500_000)])

    def test_every_golden_file_is_read(self):
        # Reports come from devices and do not go to Kafka.
        files = sorted(path for path in GOLDEN.glob("*.bin") if not path.name.startswith("report-"))
        self.assertGreaterEqual(len(files), 5)
        for path in files:
            self.assertTrue(batch.decode(path.read_bytes()).items, path)


def sketch_of(values):
    merged = batch.Sketch(0, {})
    for value in values:
        number = struct.unpack("<Q", struct.pack("<d", abs(value)))[0] >> 40
        merged = merged.merge(batch.Sketch(0, {int(math.copysign(number, value)): 1}))
    return merged


class SketchTest(unittest.TestCase):
    def test_merged_halves_are_the_whole(self):
        values = [math.sin(n) * 10 ** (n % 5) for n in range(300)]
        whole = sketch_of(values)
        self.assertGreater(whole.level, 0)
        self.assertEqual(sketch_of(values[:100]).merge(sketch_of(values[100:])), whole)

    def test_a_quantile_is_in_the_bin_of_the_exact_one(self):
        values = sorted(20 + math.sin(n) for n in range(500))
        stats = batch.Stats(500, 0, 0, 0, 0.0, 0.0, values[0], values[-1], 0.0, 0.0, 0.0)
        sketch = sketch_of(values)
        for part in (0.01, 0.5, 0.95, 0.99):
            exact = values[math.ceil(part * 500) - 1]
            self.assertLessEqual(abs(sketch.quantile(part, stats) - exact), exact * 2 ** (sketch.level - 12))


class DecodeTest(unittest.TestCase):
    def refused(self, message: bytes, why: str):
        with self.assertRaisesRegex(batch.Malformed, why):
            batch.decode(message)

    def test_a_gap_is_read(self):
        gap = batch.Gap("telemetry", "dropped", 7, 300, 12)
        self.assertEqual(batch.decode(GAP), batch.Message("gap", "box", -5, [gap]))

    def test_rows_take_one_item_of_each_column(self):
        dictionary = "02 0470756d70 0474656d70 00 02"  # sensor 2, pump, temp, no unit, two rows
        marks = "01 80808005 01 31"  # as sent and good, behind five left out; then refused, bad, out of range
        times = "00 00 d00f 00"  # steps, one lag; at the base, period 1000, then exactly one period later
        lags = "06"  # always 3 ms
        values = "01 ae03"  # one decimal: 21.5
        raws = "00 ce0f"  # whole: 999
        columns = (dictionary, marks, times, lags, values, raws)
        sections = (struct.pack("<I", len(bytes.fromhex(column))).hex() + column for column in columns)
        message = batch.decode(sealed("01 01 03 626f78 c801" + "".join(sections)))
        sensor = batch.Sensor(2, "pump", "temp", "")
        self.assertEqual(
            message.items,
            [
                batch.Row(sensor, 100, 103, 21.5, 21.5, "good", [], 5),
                batch.Row(sensor, 1100, 1103, 999.0, None, "bad", ["out_of_range"]),
            ],
        )

    def test_any_changed_bit_is_noticed(self):
        for bit in range(len(GAP) * 8):
            changed = bytearray(GAP)
            changed[bit // 8] ^= 1 << bit % 8
            self.refused(bytes(changed), "version|checksum")

    def test_any_cut_is_noticed(self):
        for length in range(len(GAP)):
            self.refused(GAP[:length], "empty|checksum")

    def test_what_no_writer_makes_is_refused(self):
        for body, why in [
            ("01 09 00 00", "kind 9"),
            ("01 04 00 00 09 00 00 00 00", "lane 9"),
            ("01 04 00 00 01 00 00 00", "cut short"),
            ("01 04 00 00 01 00 00 00 00 00", "left over"),
            ("01 04 01 ff 00", "UTF-8"),
            ("01 04 00" + "ff" * 9 + "02", "above 64 bits"),
            ("01 02 00 00 00 00 00 00 00", "without items"),
            ("01 01 00 00 05000000 0000000001 02000000 0100 03000000 060000 00000000 00000000 00000000", "kind of lag"),
            ("01 02 00 00 00 00 00 00 01 c0", "clock"),
        ]:
            self.refused(sealed(body), why)

    def test_numbers_of_64_bits_come_back(self):
        for number in [0, -1, 2**63 - 1, -(2**63)]:
            zigzag = (number << 1 ^ number >> 63) % 2**64
            encoded = bytearray()
            while zigzag >= 0x80:
                encoded.append(zigzag & 0x7F | 0x80)
                zigzag >>= 7
            encoded.append(zigzag)
            self.assertEqual(batch.Cursor(bytes(encoded)).signed(), number)

    def test_the_checksum_is_that_of_rfc_3720(self):
        for data, expected in [(b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)]:
            self.assertEqual(batch.crc32c(data), expected)


class FramedTest(unittest.TestCase):
    def test_records_of_kcat_are_taken_apart(self):
        records = [(2, b"ab"), (-1, b""), (0, b""), (1, b"c")]
        stream = io.BytesIO(b"".join(struct.pack(">i", length) + record for length, record in records))
        self.assertEqual(list(batch.framed(stream)), [b"ab", b"", b"c"])


if __name__ == "__main__":
    unittest.main()
