#!/usr/bin/env python3
"""Puts into etcd, for records.sh: over its HTTP gateway, connections kept, each answer awaited.

    etcd_client.py puts URL COUNT FLIGHT          one by one, FLIGHT of them under way
    etcd_client.py import URL FILE BATCH FLIGHT   JSON Lines, BATCH records in a transaction

One line of JSON: puts, puts a second, and of `puts` how long each took. A record is stored as it
stands in its line, under its key.
"""
import base64
import http.client
import itertools
import json
import sys
import threading
import time
import urllib.parse

TRIES = 50


def text(value):
    return base64.b64encode(value.encode()).decode()


class Line:
    """A connection; what is refused while there is no leader is asked again."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def ask(self, path, body):
        for left in range(TRIES, 0, -1):
            self.connection.request("POST", path, json.dumps(body))
            answer = self.connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                return
            if left == 1:
                raise SystemExit(f"etcd refused: {content[:200]!r}")
            time.sleep(0.2)


def run_all(flight, work):
    threads = [threading.Thread(target=work, daemon=True) for _ in range(flight)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start


def puts(url, count, flight):
    numbers, took = iter(range(count)), []
    lock = threading.Lock()

    def work():
        line = Line(url)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            start = time.monotonic()
            line.ask("/v3/kv/put", {"key": text(f"put-{number:08}"), "value": text(f"valeur {number}")})
            took.append((time.monotonic() - start) * 1e3)

    seconds = run_all(flight, work)
    if len(took) != count:
        raise SystemExit(f"etcd took {len(took)} of {count}")
    took.sort()
    return {"puts": count, "flight": flight, "per_s": round(count / seconds), "p50_ms": round(took[count // 2], 2),
            "p99_ms": round(took[count * 99 // 100], 2), "most_ms": round(took[-1], 2)}


def import_file(url, path, batch, flight):
    lock, done = threading.Lock(), []
    with open(path, encoding="utf-8") as file:

        def work():
            line = Line(url)
            while True:
                with lock:
                    records = list(itertools.islice(file, batch))
                if not records:
                    return
                line.ask("/v3/kv/txn", {"success": [
                    {"requestPut": {"key": text(json.loads(record)["key"]), "value": text(record)}}
                    for record in records]})
                done.append(len(records))

        seconds = run_all(flight, work)
        if file.readline() != "":
            raise SystemExit("etcd did not take all of it")
    return {"records": sum(done), "s": round(seconds, 2), "per_s": round(sum(done) / seconds)}


def main():
    kind, url, *rest = sys.argv[1:]
    if kind == "puts":
        answer = puts(url, int(rest[0]), int(rest[1]))
    else:
        answer = import_file(url, rest[0], int(rest[1]), int(rest[2]))
    print(json.dumps(answer))


main()
