"""The emulated box: a Cortex-A53 with 512 MB, a serial line, a network of its own, and a plug that can be pulled."""

import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import List

from disk import Disk

# How the box and this machine see each other: the box's broker on a port here, Kafka on an address there.
KAFKA_IN_BOX = "10.0.2.100:9092"
RELAY = Path(__file__).with_name("relay.py")
BOOT_S_MAX = 300.0
COMMAND_S_MAX = 300.0
PROMPT = "root@box:"


class Trouble(Exception):
    """The box does not do what it should; the end of its serial log is told."""


class Machine:
    """One life after the other of a box, on one disk."""

    def __init__(self, folder: Path, image: Path, disk: Disk, disk_socket: Path, mqtt_port: int, kafka_port: int):
        self.folder = folder
        self.image = image
        self.disk = disk
        self.disk_socket = disk_socket
        self.mqtt_port = mqtt_port
        self.kafka_port = kafka_port
        self.log = folder / "serial.log"
        self.lives = 0

    def boot(self, clock: str = "utc"):
        """Power on. `clock` is the time of the box's real-time clock as qemu takes it."""
        self.lives += 1
        serial = self.folder / "serial"
        serial.unlink(missing_ok=True)
        self.process = subprocess.Popen(self._command(serial, clock), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.line = socket.socket(socket.AF_UNIX)
                self.line.connect(str(serial))
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Trouble("qemu does not start") from None
                time.sleep(0.05)
        self.heard = bytearray()
        self.listener = threading.Thread(target=self._listen, args=(self.line,), daemon=True)
        self.listener.start()

    def _command(self, serial: Path, clock: str) -> List[str]:
        net = (
            f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.mqtt_port}-10.0.2.15:1883,"
            f"guestfwd=tcp:{KAFKA_IN_BOX}-cmd:{sys.executable} {RELAY} {self.kafka_port}"
        )
        return [
            "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "512", "-accel", "tcg,thread=multi",
            "-nodefaults", "-display", "none", "-rtc", f"base={clock}",
            "-kernel", str(self.image / "kernel"), "-initrd", str(self.image / "initrd"),
            "-append", "root=/dev/vda rw console=ttyAMA0 quiet panic=1 fsck.repair=yes",
            "-blockdev", f"driver=nbd,node-name=disk,server.type=unix,server.path={self.disk_socket}",
            "-device", "virtio-blk-pci,drive=disk",
            "-netdev", net, "-device", "virtio-net-pci,netdev=net,romfile=",
            "-chardev", f"socket,id=line,path={serial},server=on,wait=off", "-serial", "chardev:line",
        ]  # fmt: skip

    def _listen(self, line: socket.socket):
        with open(self.log, "ab") as log:
            log.write(f"\n===== life {self.lives}\n".encode())
            while True:
                try:
                    part = line.recv(4096)
                except OSError:
                    return
                if not part:
                    return
                self.heard += part
                log.write(part)
                log.flush()

    # --- the serial line

    def wait_for_prompt(self):
        """Until root's shell answers."""
        self._wait(PROMPT, BOOT_S_MAX)

    def run(self, command: str) -> str:
        """A command in the box; what it prints. It must succeed."""
        text, status = self.try_run(command)
        if status != 0:
            raise Trouble(f"{command}: exit code {status}\n{text}")
        return text

    def try_run(self, command: str) -> tuple:
        """What a command prints, and its exit code."""
        self.heard.clear()
        # The echo of the line must not look like its result.
        self.line.sendall(f"{command}; echo E\"\"ND-$?-\r".encode())
        found = self._wait(r"END-(\d+)-", COMMAND_S_MAX)
        text = self.heard.decode(errors="replace").replace("\r", "")
        body = text[text.index("\n") + 1 : text.index(found.group(0))]
        return body.strip(), int(found.group(1))

    def _wait(self, pattern: str, seconds: float) -> re.Match:
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.heard.decode(errors="replace"))
            if found:
                return found
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Trouble(f"the box never said {pattern!r}:\n{self.last_words()}")
            time.sleep(0.1)

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    # --- its ends

    def is_ready(self) -> bool:
        """Whether the gateway answers an MQTT CONNECT: the port alone answers before the box does."""
        try:
            with socket.create_connection(("127.0.0.1", self.mqtt_port), timeout=2) as peer:
                peer.sendall(bytes.fromhex("100f00044d5154540402000a0003626f78"))
                return len(peer.recv(4)) == 4
        except OSError:
            return False

    def wait_until_ready(self):
        deadline = time.monotonic() + BOOT_S_MAX
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Trouble(f"the gateway in the box does not answer:\n{self.last_words()}")
            time.sleep(0.2)

    def cut_power(self):
        """Nothing is said good-bye to: qemu is killed, and the disk loses what it had not flushed."""
        self.process.kill()
        self.process.wait(30)
        self.line.close()
        self.disk.cut()

    def shut_down(self):
        """As an operator does it."""
        self.line.sendall(b"poweroff\r")
        self.process.wait(120)
        self.line.close()

    def end(self):
        """For the way out of a test."""
        if getattr(self, "process", None) and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
