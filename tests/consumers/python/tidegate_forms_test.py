"""The three forms of a message hold the same; the JSON form is that which protobuf itself reads as JSON."""

import json
import math
import pathlib
import unittest
from dataclasses import replace

import tidegate_batch as batch
import tidegate_forms as forms
from google.protobuf import json_format

GOLDEN = pathlib.Path(__file__).parents[3] / "gateway" / "wire" / "golden"
MESSAGES = {
    "telemetry": "tidegate.telemetry.v1",
    "telemetry-noisy": "tidegate.telemetry.v1",
    "telemetry-unit": "tidegate.telemetry.v1",
    "telemetry-repaired": "tidegate.telemetry.v1",
    "alert-unsynced": "tidegate.alert.v1",
    "aggregates": "tidegate.aggregate.v1",
    "aggregates-sketch": "tidegate.aggregate.v1",
    "alert": "tidegate.alert.v1",
    "gap": "tidegate.gap.v1",
}
CONTENTS = {"bin": "application/vnd.tidegate.batch", "json": "application/json", "pb": "application/protobuf"}


def golden(name: str, ending: str) -> bytes:
    return (GOLDEN / f"{name}-v1.{ending}").read_bytes()


def decoded(name: str, ending: str) -> batch.Message:
    """Without the ids of sensors, which stand in batches only."""
    message = forms.decode(golden(name, ending), {"content-type": CONTENTS[ending], "ce_type": MESSAGES[name]})
    items = [replace(it, sensor=replace(it.sensor, id=-1)) if hasattr(it, "sensor") else it for it in message.items]
    return replace(message, items=items)


class FormsTest(unittest.TestCase):
    def test_all_forms_hold_the_same(self):
        for name in MESSAGES:
            as_batch = decoded(name, "bin")
            self.assertTrue(as_batch.items, name)
            for ending in ("json", "pb"):
                self.assertEqual(decoded(name, ending), as_batch, f"{name}.{ending}")

    def test_minus_zero_and_infinity_survive(self):
        for ending in CONTENTS:
            rows = decoded("telemetry", ending).items
            self.assertEqual(rows[2].raw, math.inf, ending)
            self.assertEqual(math.copysign(1, rows[4].value), -1, ending)

    def test_the_json_form_is_protobufs_own_json(self):
        for name, ce_type in MESSAGES.items():
            of = forms.message_class(forms.NAMES[ce_type])
            read = json_format.Parse(golden(name, "json"), of())
            self.assertEqual(read, of.FromString(golden(name, "pb")), name)

    def test_the_derived_numbers_are_what_their_names_say(self):
        summary = json.loads(golden("aggregates", "json"))["summaries"][0]
        self.assertEqual(summary["stddev"], math.sqrt(summary["m2"] / (summary["n"] - 1)))
        self.assertEqual(summary["time_weighted_mean"], summary["integral"] / summary["covered_ms"])

    def test_what_is_not_known_is_refused(self):
        for headers, why in [
            ({"content-type": "application/json", "ce_type": "tidegate.watermark.v1"}, "watermark"),
            ({"content-type": "text/plain", "ce_type": "tidegate.gap.v1"}, "text/plain"),
            ({}, "None"),
        ]:
            with self.assertRaisesRegex(batch.Malformed, why):
                forms.decode(b"{}", headers)


if __name__ == "__main__":
    unittest.main()
