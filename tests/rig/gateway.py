"""A gateway as a process of its own: its config, its start, its death."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Optional

READY_S_MAX = 60.0
STOP_S_MAX = 30.0
SIGKILLED = -signal.SIGKILL

BIN_DIR = Path(os.environ.get("TIDEGATE_BIN_DIR", Path(__file__).parents[2] / "target" / "release"))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has; TIDEGATE_MQTT_PORT chooses it instead."""
    chosen = os.environ.get("TIDEGATE_MQTT_PORT")
    if chosen:
        return int(chosen)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_on_sigterm():
    """Whoever ends a test by SIGTERM ends what it started too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class NotReady(Exception):
    """The gateway ended, or did not listen in time."""


class Gateway:
    """One gateway in a folder of its own. `settings` is what stands in its config beside id, address, store and Kafka."""

    def __init__(self, folder: Path, gateway_id: str, bootstrap: str, settings: str, kafka: str = "", store: str = ""):
        self.id = gateway_id
        self.folder = folder / gateway_id
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.store = self.folder / "store"
        self.config = self.folder / "gateway.toml"
        self.log = self.folder / "log"
        self.credentials = self.folder / "credentials"
        self.process: Optional[subprocess.Popen] = None
        atexit.register(self.end)
        who = f'credentials = "{self.credentials}"' if "credentials" in settings else "allow_anonymous = true"
        self.config.write_text(
            f'[gateway]\nid = "{gateway_id}"\n\n[broker]\nlisten = "127.0.0.1:{self.port}"\n{who}\n\n'
            f'[store]\ndir = "{self.store}"\n{store}\n'
            f'[kafka]\nbootstrap = "{bootstrap}"\n{kafka}\n{settings}'
        )

    def start(self) -> float:
        """Starts it, and returns the seconds until it answers on its port."""
        begun = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BIN_DIR / "tidegate", "run", "--config", self.config], stderr=log, stdout=log)
        while time.monotonic() - begun < READY_S_MAX:
            if self.process.poll() is not None:
                raise NotReady(f"the gateway ended with {self.process.returncode}:\n{self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return time.monotonic() - begun
            except OSError:
                time.sleep(0.002)
        raise NotReady(f"the gateway does not listen after {READY_S_MAX} s:\n{self.last_words()}")

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def peak_kib(self) -> int:
        """The most memory that the process has held so far; 0 once it is gone."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)

    def ceiling_kib(self) -> int:
        """The sum of the memory bill, as the gateway printed it when it started."""
        return next(int(line.split()[-2]) for line in self.log.read_text().splitlines() if line.split()[:1] == ["ceiling"])

    def kill(self) -> int:
        """SIGKILL: what a crash or the OOM killer does."""
        self.process.kill()
        return self.process.wait(STOP_S_MAX)

    def stop(self) -> int:
        """SIGTERM, as systemd does it; returns the exit code."""
        self.process.terminate()
        return self.process.wait(STOP_S_MAX)

    def end(self):
        """For the way out of a test, whatever state it is in."""
        if self.is_running():
            self.kill()

    def run(self, verb: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
        """One of the other verbs of the program."""
        command = [BIN_DIR / "tidegate", verb, *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)

    def add_user(self, user: str, password: str, role: str):
        """Through `tidegate passwd`."""
        made = self.run("passwd", str(self.credentials), user, "--role", role, text=password + "\n")
        if made.returncode != 0:
            raise RuntimeError(f"tidegate passwd: {made.stderr}")

    def replay(self) -> subprocess.CompletedProcess:
        """Compares the journal's replay with what was saved; the gateway must not run."""
        return self.run("replay", "--config", str(self.config))

    def last_words(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def log_lines(self, *parts: str) -> List[str]:
        """Lines of the log which hold all of these parts."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if all(part in line for part in parts)]
