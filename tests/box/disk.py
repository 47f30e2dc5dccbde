"""A disk with a volatile cache, as SD cards have one: an NBD server over a file.

What is written stays in memory until the guest flushes (or writes with FUA); then it is in the file. `cut` is a loss of power: of
every 512-byte sector that was not flushed, chance says whether the card had already written it. So blocks are lost, come through
out of order, and are torn; but what was flushed is there, as long as the card does not lie. Bytes and flushes are counted: they
are what wears the card out. Protocol: the NBD project's doc/proto.md (fixed newstyle, simple replies).
"""

import os
import random
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Dict

BLOCK = 4096
SECTOR = 512
# A card writes on its own once its cache is full.
CACHE_BLOCKS_MAX = 4096

INIT_MAGIC, OPTION_MAGIC, OPTION_REPLY_MAGIC = b"NBDMAGIC", 0x49484156454F5054, 0x3E889045565A9
REQUEST_MAGIC, REPLY_MAGIC = 0x25609513, 0x67446698
OPTION_EXPORT, OPTION_ABORT, OPTION_INFO, OPTION_GO = 1, 2, 6, 7
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 0x80000001
# Has flags, takes flush and FUA.
FLAGS = 1 | 1 << 2 | 1 << 3
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
COMMAND_FUA = 1


class PowerCut(Exception):
    """The guest is gone."""


class Disk:
    """One disk for one guest at a time, over any number of its lives."""

    def __init__(self, file: Path, socket_path: Path, seed: int, flush_s: float = 0.0, bytes_per_s: float = 0.0):
        self.fd = os.open(file, os.O_RDWR)
        self.size = os.fstat(self.fd).st_size
        self.chance = random.Random(seed)
        self.flush_s = flush_s
        self.bytes_per_s = bytes_per_s
        self.cache: Dict[int, bytearray] = {}
        self.bytes_written = 0
        self.flushes = 0
        self.sectors_lost = 0
        self.sectors_kept = 0
        self.lock = threading.Lock()
        socket_path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(socket_path))
        self.listener.listen(1)
        self.gone = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    # --- what the test does with it

    def cut(self):
        """The power is gone: the guest must have been killed before."""
        if not self.gone.wait(30):
            raise RuntimeError("the guest still holds its disk")
        with self.lock:
            for number, content in self.cache.items():
                for at in range(0, BLOCK, SECTOR):
                    if self.chance.random() < 0.5:
                        os.pwrite(self.fd, content[at : at + SECTOR], number * BLOCK + at)
                        self.sectors_kept += 1
                    else:
                        self.sectors_lost += 1
            self.cache.clear()

    def close(self):
        """After the guest has shut down: all that it wrote is in the file."""
        self.gone.wait(30)
        with self.lock:
            self._flush()
        self.listener.close()
        os.fsync(self.fd)
        os.close(self.fd)

    # --- one guest after the other

    def _serve(self):
        while True:
            try:
                guest, _ = self.listener.accept()
            except OSError:
                return
            self.gone.clear()
            try:
                with guest:
                    self._negotiate(guest)
                    self._transmit(guest)
            except (PowerCut, ConnectionError):
                pass
            finally:
                self.gone.set()

    def _negotiate(self, guest: socket.socket):
        guest.sendall(INIT_MAGIC + struct.pack(">QH", OPTION_MAGIC, 1 | 2))
        receive(guest, 4)
        while True:
            magic, option, length = struct.unpack(">QII", receive(guest, 16))
            if magic != OPTION_MAGIC:
                raise PowerCut
            receive(guest, length)
            if option == OPTION_EXPORT:
                guest.sendall(struct.pack(">QH", self.size, FLAGS))
                return
            if option == OPTION_ABORT:
                raise PowerCut
            if option in (OPTION_GO, OPTION_INFO):
                info = struct.pack(">HQH", 0, self.size, FLAGS)
                guest.sendall(option_reply(option, REPLY_INFO, info) + option_reply(option, REPLY_ACK))
                if option == OPTION_GO:
                    return
            else:
                guest.sendall(option_reply(option, REPLY_UNSUPPORTED))

    def _transmit(self, guest: socket.socket):
        while True:
            magic, flags, kind, cookie, offset, length = struct.unpack(">IHHQQI", receive(guest, 28))
            if magic != REQUEST_MAGIC or kind == DISCONNECT:
                return
            data = receive(guest, length) if kind == WRITE else b""
            wait_s = 0.0
            with self.lock:
                if kind == READ:
                    data = self._read(offset, length)
                elif kind == WRITE:
                    wait_s = self._write(offset, data, bool(flags & COMMAND_FUA))
                    data = b""
                elif kind == FLUSH:
                    wait_s = self._flush()
            if wait_s > 0:
                time.sleep(wait_s)
            guest.sendall(struct.pack(">IIQ", REPLY_MAGIC, 0, cookie) + data)

    # --- blocks; the lock is held

    def _read(self, offset: int, length: int) -> bytes:
        data = bytearray(os.pread(self.fd, length, offset))
        if self.cache:
            for number in range(offset // BLOCK, (offset + length - 1) // BLOCK + 1):
                content = self.cache.get(number)
                if content is None:
                    continue
                begin, end = max(offset, number * BLOCK), min(offset + length, (number + 1) * BLOCK)
                data[begin - offset : end - offset] = content[begin - number * BLOCK : end - number * BLOCK]
        return bytes(data)

    def _write(self, offset: int, data: bytes, through: bool) -> float:
        self.bytes_written += len(data)
        at = 0
        while at < len(data):
            number, inside = divmod(offset + at, BLOCK)
            part = data[at : at + BLOCK - inside]
            content = self.cache.get(number)
            if content is None:
                content = bytearray(BLOCK) if len(part) == BLOCK else bytearray(os.pread(self.fd, BLOCK, number * BLOCK))
                self.cache[number] = content
            content[inside : inside + len(part)] = part
            if through:
                os.pwrite(self.fd, part, offset + at)
            at += len(part)
        wait_s = len(data) / self.bytes_per_s if self.bytes_per_s else 0.0
        if len(self.cache) > CACHE_BLOCKS_MAX:
            self._destage()
        return wait_s + (self.flush_s if through else 0.0)

    def _flush(self) -> float:
        self.flushes += 1
        self._destage()
        return self.flush_s

    def _destage(self):
        for number, content in self.cache.items():
            os.pwrite(self.fd, content, number * BLOCK)
        self.cache.clear()


def receive(guest: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = guest.recv(length - len(parts))
        if not part:
            raise PowerCut
        parts += part
    return bytes(parts)


def option_reply(option: int, kind: int, data: bytes = b"") -> bytes:
    return struct.pack(">QIII", OPTION_REPLY_MAGIC, option, kind, len(data)) + data
