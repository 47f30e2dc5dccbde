"""A small ext4 of its own in a file, whose power can be cut: what was not synced is gone."""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

SIZE_MIB = 192
# EXT4_IOC_SHUTDOWN, as of Linux 4.15: the file system takes nothing any more, and its journal is not flushed.
SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2


class Disk:
    """An image beside the folder where it is mounted. Needs root."""

    def __init__(self, folder: Path):
        self.image = folder / "disk.img"
        self.mountpoint = folder / "disk"
        self.mountpoint.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(SIZE_MIB << 20)
        self._run("mkfs.ext4", "-q", "-F", str(self.image))
        self.mount()

    def mount(self):
        self._run("mount", "-o", "loop", str(self.image), str(self.mountpoint))

    def unmount(self):
        self._run("umount", str(self.mountpoint))

    def shut_down(self):
        """From here on each write and each sync fails, and what was not synced before is lost."""
        descriptor = os.open(self.mountpoint, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        finally:
            os.close(descriptor)

    def end(self):
        subprocess.run(["umount", "-l", str(self.mountpoint)], capture_output=True, check=False)

    @staticmethod
    def _run(*words: str):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")


def why_not() -> str:
    """Why there can be no such disk here; empty if there can."""
    if os.geteuid() != 0:
        return "needs root"
    return "" if Path("/dev/loop-control").exists() else "no loop devices"
