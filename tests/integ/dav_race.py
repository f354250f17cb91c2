#!/usr/bin/python3
"""W20: several people write, move and remove the same few names at once, while a program of the server's writes them
on the disk. Nothing that was acknowledged is lost in silence: it is there, under its name or as a kept conflict, or
somebody took its place or removed it who could have seen it.

    dav_race.py URL AUTHORITY DIRECTORY ROUNDS [SEED]

Each content is unique. At the end of a round a content that was acknowledged may be gone only if its name was removed,
moved or written on the disk since, or another write took its place: one that named its ETag (of the content that its
writer had read: until a file's digest is stored, which may be behind the answer to a reader, it has another ETag), or one
without a condition that the server had not begun with (it says 100 Continue when it has) before the last byte of the
lost one was sent.
"""
import hashlib
import os
import random
import sys
import threading
import time

from dav_client import Client, equal

NAMES = ("a", "b", "c")
WRITERS = 4
STEPS = 8


class Event:
    """A change that was acknowledged: of what name, when the last of it was sent and when it was answered; of a PUT
    also what it put there, what it replaced (an ETag; "*": nothing; None: whatever is there) and the content of that, and
    by when the server had begun with it."""

    def __init__(self, kind, name, sent, content=None, seen=None, read=None, begun=None):
        self.kind, self.name, self.sent, self.ended = kind, name, sent, time.monotonic()
        self.content, self.seen, self.read = content, seen, read
        self.begun = begun if begun is not None else self.ended


class Writer(threading.Thread):
    def __init__(self, number, round_number, seed, url, authority, top):
        super().__init__()
        self.chance = random.Random("%s %s %s" % (seed, round_number, number))
        self.client, self.top, self.label = Client(url, authority), top, "%d.%d" % (round_number, number)
        self.events, self.fault = [], None

    def put(self, step, name):
        content = ("%s.%d " % (self.label, step)).encode() * self.chance.choice((1, 50, 5000, 60000))
        how, fields, seen, read = self.chance.randrange(4), {}, None, None
        if how == 0:
            status, answer, content_there = self.client.ask("GET", self.top + name)
            if status == 200:
                seen, read = answer["etag"], content_there
                fields["If-Match"] = seen
        elif how == 1:
            seen = fields["If-None-Match"] = "*"
        pause = self.chance.random() * 0.02 if self.chance.random() < 0.5 else None
        status, _, sent, begun = self.client.put_slowly(self.top + name, content, fields, pause)
        assert status in (201, 204, 412), "PUT %s: %d" % (name, status)
        if status != 412:
            self.events.append(Event("put", name, sent, content, seen, read, begun))

    def move(self, name, other):
        begun = time.monotonic()
        status = self.client.ask("MOVE", self.top + name, None, self.client.destination(self.top + other))[0]
        assert status in (201, 204, 404, 403, 412), "MOVE %s %s: %d" % (name, other, status)
        if status in (201, 204):
            self.events.append(Event("move", name, begun))
            self.events.append(Event("replace", other, begun))

    def delete(self, name):
        begun = time.monotonic()
        status = self.client.ask("DELETE", self.top + name)[0]
        assert status in (204, 404, 412), "DELETE %s: %d" % (name, status)
        if status == 204:
            self.events.append(Event("delete", name, begun))

    def read(self, name):
        """What is read is one of the contents, whole."""
        status, answer, content = self.client.ask("GET", self.top + name)
        assert status in (200, 404), "GET %s: %d" % (name, status)
        if status == 200 and content:
            unit = content.split(b" ")[0] + b" "
            assert content == unit * (len(content) // len(unit)), "a mixture was read: %r" % content[:80]
            assert answer["etag"].startswith('"'), answer["etag"]

    def run(self):
        try:
            for step in range(STEPS):
                name, other = self.chance.sample(NAMES, 2)
                what = self.chance.randrange(10)
                if what < 6:
                    self.put(step, name)
                elif what < 8:
                    self.read(name)
                elif what == 8:
                    self.move(name, other)
                else:
                    self.delete(name)
        except Exception as fault:  # told by the thread that waits
            self.fault = fault
        self.client.close()


class Neighbour(threading.Thread):
    """A program of the server's: whole files by rename, as editors do."""

    def __init__(self, round_number, seed, directory):
        super().__init__()
        self.chance = random.Random("%s %s disk" % (seed, round_number))
        self.directory, self.label, self.events = directory, "%d.disk" % round_number, []

    def run(self):
        for step in range(STEPS // 2):
            name, content = self.chance.choice(NAMES), ("%s.%d " % (self.label, step)).encode() * 100
            fresh = os.path.join(self.directory, ".fresh")
            with open(fresh, "wb") as file:
                file.write(content)
            begun = time.monotonic()
            os.rename(fresh, os.path.join(self.directory, name))
            self.events.append(Event("disk", name, begun, content))
            time.sleep(self.chance.random() * 0.01)


def may_be_gone(put, events):
    for other in events:
        if other is put or other.name != put.name or other.ended < put.sent:
            continue
        if other.kind in ("move", "delete", "replace", "disk"):
            return True  # these name no version: whatever is there goes (a move takes it along)
        if other.seen is None and other.begun >= put.sent or other.read == put.content:
            return True
    return False


def tell(events):
    """For whoever looks for a fault: what was answered, in order."""
    first = min(event.sent for event in events)
    return "\n".join("%7.1f to %7.1f ms: %s %s %s%s" % (
        (e.sent - first) * 1000, (e.ended - first) * 1000, e.kind, e.name, (e.content or b"")[:8].decode(),
        " in place of " + e.seen if e.seen else "") for e in sorted(events, key=lambda e: e.sent))


def check(round_number, seed, directory, events):
    there = set()
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            there.add(hashlib.sha256(file.read()).digest())
    kept = 0
    for put in events:
        if put.kind != "put":
            continue
        if hashlib.sha256(put.content).digest() in there:
            kept += 1
        elif not may_be_gone(put, events):
            raise AssertionError("round %d of seed %s: %r of %s is lost; there are %s\n%s" % (
                round_number, seed, put.content[:20], put.name, sorted(os.listdir(directory)), tell(events)))
    return kept


def main():
    url, authority, folder, rounds = sys.argv[1:4] + [int(sys.argv[4])]
    seed = sys.argv[5] if len(sys.argv) > 5 else "1"
    client, puts, kept = Client(url, authority), 0, 0
    for number in range(rounds):
        top = "/race %d/" % number
        equal("MKCOL", 201, client.ask("MKCOL", top)[0])
        directory = os.path.join(folder, "race %d" % number)
        threads = [Writer(n, number, seed, url, authority, top) for n in range(WRITERS)]
        if number % 2:  # in every other round
            threads.append(Neighbour(number, seed, directory))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
            if getattr(thread, "fault", None):
                raise thread.fault
        events = [event for thread in threads for event in thread.events]
        puts += sum(event.kind == "put" for event in events)
        kept += check(number, seed, directory, events)
        equal("DELETE", 204, client.ask("DELETE", top)[0])
    print("race: %d rounds of seed %s, %d writes acknowledged, %d of them still there" % (rounds, seed, puts, kept))


main()
