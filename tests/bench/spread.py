#!/usr/bin/env python3
"""Puts records at sites in turn and asks all of them until each shows it, for many.sh.

    spread.py COLLECTION COUNT STATE_DIRECTORY...

Over the control sockets (docs/control.md), which stay open: a question costs a fraction of a
millisecond, where a command takes ten. One line of JSON: `ms`, of each put from the request until the
last site was asked and showed the record; `put_ms`, until the put was answered (durable there);
`ask_ms`, the middle one of the rounds in which no site was left out.
"""
import json
import os
import socket
import struct
import sys
import time

PATIENCE_S = 60


def text(value):
    raw = value.encode()
    return (bytes([0xA0 + len(raw)]) if len(raw) < 32 else b"\xd9" + bytes([len(raw)])) + raw


def number(value):
    if value < 0x80:
        return bytes([value])
    if value < 0x100:
        return b"\xcc" + bytes([value])
    return b"\xcd" + struct.pack(">H", value)


def pairs(*items):
    return bytes([0x80 + len(items)]) + b"".join(text(key) + value for key, value in items)


class Site:
    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(folder, "control.sock"))

    def say(self, command, args):
        frame = pairs(("args", args), ("cmd", text(command)), ("id", number(1)))
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise SystemExit("a daemon closed its socket")
            data += more
        return data

    def is_done(self):
        """Whether the answer that is awaited is no error."""
        while True:
            frame = self.read(struct.unpack(">I", self.read(4))[0])
            if frame.endswith(text("type") + text("end")):
                return True
            if frame.endswith(text("type") + text("error")):
                return False


def has_all(sites, collection, key):
    args = pairs(("collection", text(collection)), ("key", text(key)))
    for site in sites:
        site.say("record.get", args)
    return all([site.is_done() for site in sites])


def spread(sites, collection, turn):
    key = f"p{turn}"
    fields = pairs(("n", number(turn)))
    start = time.monotonic()
    first = sites[turn % len(sites)]
    first.say("record.put", pairs(("collection", text(collection)), ("fields", fields), ("key", text(key))))
    if not first.is_done():
        raise SystemExit(f"{key} was refused")
    put = time.monotonic()
    while True:
        asked = time.monotonic()
        if has_all(sites, collection, key):
            end = time.monotonic()
            return end - start, put - start, end - asked
        if asked - start > PATIENCE_S:
            raise SystemExit(f"{key} is not everywhere after {PATIENCE_S} s")


def main():
    collection, count = sys.argv[1], int(sys.argv[2])
    sites = [Site(folder) for folder in sys.argv[3:]]
    times = [spread(sites, collection, turn) for turn in range(count)]
    columns = [[round(1000 * value, 1) for value in column] for column in zip(*times)]
    print(json.dumps({"ms": columns[0], "put_ms": sorted(columns[1])[count // 2],
                      "ask_ms": sorted(columns[2])[count // 2]}))


if __name__ == "__main__":
    main()
