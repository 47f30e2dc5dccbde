"""Joins its standard input and output with a port of 127.0.0.1: what qemu runs for each connection of the box to Kafka."""

import os
import socket
import sys
import threading

PART = 65536


def main():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as peer:
        threading.Thread(target=upward, args=(peer,), daemon=True).start()
        while part := peer.recv(PART):
            view = memoryview(part)
            while view:
                view = view[os.write(1, view) :]
    # The other thread waits for input that nobody will read.
    os._exit(0)


def upward(peer: socket.socket):
    while part := os.read(0, PART):
        peer.sendall(part)
    os._exit(0)


main()
