"""A TCP proxy that does what networks do: cuts, goes silent with all connections open, and is slow."""

import contextlib
import select
import socket
import threading
import time
from typing import Set

CHUNK_BYTES = 64 * 1024
POLL_S = 0.05
# What the slow network adds to each chunk.
DELAY_S = 0.15


class Proxy:
    """Forwards from `port` to `target` on this machine, as `mode` says: open, slow, silent, cut."""

    def __init__(self, port: int, target: int):
        self.target = target
        self.mode = "open"
        self.over = False
        self.sockets: Set[socket.socket] = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str):
        """`cut` closes all connections and refuses new ones; `silent` keeps them, and nothing passes."""
        self.mode = mode
        if mode == "cut":
            with self.lock:
                for each in self.sockets:
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.over = True
        self.set("cut")
        self.listener.close()

    def _accept(self):
        while not self.over:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket):
        with contextlib.suppress(OSError), near:
            if self.mode == "cut":
                return
            with socket.create_connection(("127.0.0.1", self.target), timeout=5) as far:
                far.settimeout(None)
                # It adds no delay but its own: small requests do not wait for an acknowledgement.
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.sockets |= {near, far}
                try:
                    self._forward(near, far)
                finally:
                    with self.lock:
                        self.sockets -= {near, far}

    def _forward(self, near: socket.socket, far: socket.socket):
        other = {near: far, far: near}
        while self.mode != "cut":
            readable, _, _ = select.select(list(other), [], [], POLL_S)
            if self.mode == "silent":
                time.sleep(POLL_S)
                continue
            for each in readable:
                chunk = each.recv(CHUNK_BYTES)
                if not chunk:
                    return
                if self.mode == "slow":
                    time.sleep(DELAY_S)
                other[each].sendall(chunk)
