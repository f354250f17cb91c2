#!/usr/bin/python3
"""W8: a client that dies in the middle of a PUT, again and again, at any byte: what was there stays, what comes is whole.

    dav_cut.py URL AUTHORITY DIRECTORY ROUNDS [SEED]
"""
import os
import random
import socket
import struct
import sys

from dav_client import AUTHORIZATION, Client, equal

SIZE_MAX = 700000


def head(client, path, size, kind):
    lines = ["PUT %s HTTP/1.1" % client.target(path), "Host: %s:%d" % (client.host, client.port), "Authorization: " + AUTHORIZATION]
    if kind == "length":
        lines.append("Content-Length: %d" % size)
    else:
        lines += ["Transfer-Encoding: chunked", "X-Expected-Entity-Length: %d" % size]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def body(content, kind, chance):
    if kind == "length":
        return content
    out, at = b"", 0
    while at < len(content):
        piece = content[at:at + chance.choice((1, 100, 16384, 65536))] if at < 2000 else content[at:at + 65536]
        out += b"%x\r\n%s\r\n" % (len(piece), piece)
        at += len(piece)
    return out + b"0\r\n\r\n"


def die(client, data, reset):
    """Sends that much and is gone: without a word, by a reset, or with an orderly goodbye of TCP but none of TLS."""
    with socket.create_connection((client.host, client.port), 30) as plain:
        line = client.context.wrap_socket(plain, server_hostname=client.host)
        line.sendall(data)
        if reset:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()


def main():
    url, authority, folder, rounds = sys.argv[1:4] + [int(sys.argv[4])]
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    chance, client = random.Random(seed), Client(url, authority)
    equal("MKCOL", 201, client.ask("MKCOL", "/cut")[0])
    old = b"what was there"
    equal("PUT", 201, client.ask("PUT", "/cut/old", old)[0])
    for number in range(rounds):
        kind = chance.choice(("length", "chunks"))
        content = chance.randbytes(chance.choice((1, 300, 20000, 300000, SIZE_MAX)))
        name = chance.choice(("old", "new"))
        data = body(content, kind, chance)
        sent = head(client, "/cut/" + name, len(content), kind) + data[:chance.randrange(len(data))]
        die(client, sent, chance.random() < 0.5)
        if number % 20 == 0:
            equal("round %d of seed %d" % (number, seed), (200, old), client.ask("GET", "/cut/old")[::2])
    equal("at the end", (200, old), client.ask("GET", "/cut/old")[::2])
    equal("the listing", ["old"], client.listing("/cut"))
    equal("PUT", 204, client.ask("PUT", "/cut/old", b"whole")[0]) # behind all that were cut
    equal("the disk", ["old"], sorted(n for n in os.listdir(os.path.join(folder, "cut"))))
    equal("DELETE", 204, client.ask("DELETE", "/cut")[0])
    print("cut: %d uploads, seed %d" % (rounds, seed))


main()
