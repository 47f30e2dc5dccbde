"""The table of a system test: one line for each thing that was to hold, and an exit code that says whether all did."""

import time
import traceback
from typing import Callable


class Table:
    """Prints as it goes, so that a run that hangs shows where."""

    def __init__(self):
        self.failed = 0
        self.passed = 0
        self.begun = time.monotonic()

    def check(self, what: str, holds: bool, detail: object = "") -> bool:
        """One line."""
        self.passed += bool(holds)
        self.failed += not holds
        print(f"  {'ok  ' if holds else 'FAIL'}  {what:<66} {detail}", flush=True)
        return bool(holds)

    def equal(self, what: str, found: object, expected: object) -> bool:
        """One line with both sides if they differ."""
        holds = found == expected
        return self.check(what, holds, found if holds else f"{found}, expected {expected}")

    def part(self, name: str, run: Callable[[], None]):
        """A heading and what belongs under it. What breaks it is a failure of this part, not the end of the run."""
        print(f"{name} ({time.monotonic() - self.begun:.0f} s)", flush=True)
        try:
            run()
        except Exception:  # noqa: BLE001: a test that breaks off has failed, whatever it was
            traceback.print_exc()
            self.check(f"{name}: runs to its end", False)

    def end(self) -> int:
        """The totals, in the words of cargo; the exit code."""
        print(f"test result: {'FAILED' if self.failed else 'ok'}. {self.passed} passed; {self.failed} failed")
        return 1 if self.failed else 0
