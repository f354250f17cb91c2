#!/usr/bin/python3
"""Connections that have had a large answer, or have sent a large file, and do nothing now cost the server little.

    dav_idle.py URL AUTHORITY DIRECTORY PID CONNECTIONS KIB_EACH      0: whatever it is
"""
import os
import socket
import sys
import time

from dav_client import AUTHORIZATION, Client, equal

SIZE = 300000
PATIENCE_S = 30


def memory_kib(pid):
    with open("/proc/%s/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def line_of(client, number):
    """From an address of its own for each 50: so many come from one."""
    source = ("127.0.%d.%d" % (number // 10000 + 1, number // 50 % 200 + 1), 0)
    return client.context.wrap_socket(socket.create_connection((client.host, client.port), 30, source), server_hostname=client.host)


def head(client, method, path, more):
    return ("%s %s HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: %s\r\n%s\r\n" % (
        method, client.target(path), client.host, client.port, AUTHORIZATION, more)).encode()


def take(line, size):
    while size > 0:
        piece = line.recv(65536)
        assert piece, "it was closed"
        size -= len(piece)


def busy(client, number, content):
    line = line_of(client, number)
    if number % 2:
        line.sendall(head(client, "GET", "/large", ""))
        take(line, SIZE)
    else:
        line.sendall(head(client, "PUT", "/idle %d" % (number % 20), "Content-Length: %d\r\n" % SIZE) + content)
        take(line, 1)
    return line


def main():
    url, authority, folder, pid = sys.argv[1:5]
    count, most = int(sys.argv[5]), int(sys.argv[6])
    client, content = Client(url, authority), os.urandom(SIZE)
    equal("PUT", 201, client.ask("PUT", "/large", content)[0])
    before = memory_kib(pid)
    lines = [busy(client, number, content) for number in range(count)]
    deadline = time.monotonic() + PATIENCE_S
    while (each := (memory_kib(pid) - before) / count) > most > 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert most == 0 or each <= most, "%.1f KiB each, not %d" % (each, most)
    for number in (0, 1):  # and they go on
        lines[number].sendall(head(client, "GET", "/large", ""))
        take(lines[number], SIZE)
    for line in lines:
        line.close()
    print("idle: %d connections, %.1f KiB each" % (count, each))


main()
