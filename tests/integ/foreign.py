#!/usr/bin/python3
"""A member site that asks for what is another's, by 10^5 ids, over quoin/1 and quoin-bulk/1; for foreign.sh.

    foreign.py ADDRESS SEED COUNT THERE NOWHERE KEYS

ADDRESS: host:port of a site that holds something of this one; SEED: the file with this site's key; THERE:
a file with names (hex, a line each) of packs and snapshots that lie there and are another's; NOWHERE: as many that lie
nowhere; KEYS: keys of records in a collection that this site has no part in. Each question is asked about both kinds, in turn, COUNT in all.
Ends with 0 if no answer tells them apart: every byte is compared but for the number of the request.
"""
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, before the seed
OPEN = 16  # requests at a time (docs/protocol.md 10.8)
HELLO, HEADS, LEDGER, CLOCK, STATE_ASK, STATE, FP_ASK, KEYS_ASK = 1, 2, 3, 5, 11, 12, 13, 15
NEEDPAGES, WANT, CHAIN_ASK, BULK_HELLO, VAULT_ASK, VAULT_STATE = 18, 21, 27, 49, 50, 51
PACK_GET, PACK_DATA, LIST_GET, LIST_DATA, PROOF_ASK, PROOF = 61, 62, 63, 64, 65, 66
CREATE_COLLECTION = 5


# ---- canonical msgpack, as far as messages need it


def pack(item):
    if item is None:
        return b"\xc0"
    if isinstance(item, bool):
        return b"\xc3" if item else b"\xc2"
    if isinstance(item, int):
        for limit, head, form in ((1 << 8, 0xCC, ">B"), (1 << 16, 0xCD, ">H"), (1 << 32, 0xCE, ">I"), (1 << 64, 0xCF, ">Q")):
            if item < 128:
                return bytes([item])
            if item < limit:
                return bytes([head]) + struct.pack(form, item)
    if isinstance(item, (list, tuple)):
        head = bytes([0x90 + len(item)]) if len(item) < 16 else b"\xdc" + struct.pack(">H", len(item))
        return head + b"".join(map(pack, item))
    raw = item.encode() if isinstance(item, str) else item
    if isinstance(item, str) and len(raw) < 32:
        return bytes([0xA0 + len(raw)]) + raw
    forms = ((0xD9, ">B"), (0xDA, ">H"), (0xDB, ">I")) if isinstance(item, str) else ((0xC4, ">B"), (0xC5, ">H"), (0xC6, ">I"))
    head, form = forms[(len(raw) > 0xFF) + (len(raw) > 0xFFFF)]
    return bytes([head]) + struct.pack(form, len(raw)) + raw


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def items(self, count):
        return [self.item() for _ in range(count)]

    def map(self, count):
        return {self.item(): self.item() for _ in range(count)}

    def item(self):
        head = self.take(1)[0]
        if head < 0x80:
            return head
        if head < 0x90:
            return self.map(head & 15)
        if head < 0xA0:
            return self.items(head & 15)
        if head < 0xC0:
            return self.take(head & 31).decode()
        if head in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[head]
        size = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}.get(head)
        if size is None:
            return self.number({0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}[head])
        count = self.number(size)
        if head <= 0xC6:
            return self.take(count)
        if head <= 0xDB:
            return self.take(count).decode()
        return self.items(count) if head <= 0xDD else self.map(count)


# ---- connections


def contexts(seed_file, folder):
    with open(seed_file, "rb") as file:
        seed = file.read(32)
    der, key, certificate = (os.path.join(folder, name) for name in ("der", "key", "certificate"))
    with open(der, "wb") as file:
        file.write(PKCS8 + seed)
    openssl = ["openssl", "pkey", "-inform", "DER", "-in", der, "-out", key]
    subprocess.run(openssl, check=True, capture_output=True)
    openssl = ["openssl", "req", "-x509", "-new", "-key", key, "-out", certificate, "-days", "2", "-subj", "/CN=site"]
    subprocess.run(openssl, check=True, capture_output=True)
    for protocol in ("quoin/1", "quoin-bulk/1"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.set_alpn_protocols([protocol])
        tls.load_cert_chain(certificate, key)
        yield tls


class Link:
    def __init__(self, tls, address):
        host, port = address.rsplit(":", 1)
        plain = socket.create_connection((host, int(port)), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = tls.wrap_socket(plain)
        self.received = b""
        assert self.read(4) == bytes(4), "no welcome"

    def read(self, size):
        while len(self.received) < size:
            piece = self.stream.recv(1 << 16)
            assert piece, "the connection was closed"
            self.received += piece
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def say(self, *messages):
        frames = (pack(message) for message in messages)
        self.stream.sendall(b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))

    def hear(self):
        """The next message: as it is, and what it says."""
        raw = self.read(struct.unpack(">I", self.read(4))[0])
        return raw, Reader(raw).item()

    def await_one(self, *numbers):
        while True:
            raw, message = self.hear()
            if message[0] in numbers:
                return raw, message


# ---- what is asked


def of_vault(number, name, other):
    kind = number % 4
    if kind <= 1:
        return [PACK_GET, number, name, 0 if kind == 0 else 1000, 65536]
    if kind == 2:
        return [LIST_GET, number, 2, name, None]
    return [PROOF_ASK, number, bytes(32), name[:6] + other[:6]]


def without_number(raw, number):
    """An answer without the number of its request, which is its second item."""
    head = 2 + len(pack(number))
    assert raw[2:head] == pack(number), raw[:32].hex()
    return raw[:2] + raw[head:]


def ask_vault(link, count, there, nowhere):
    """The kinds of answers by the kind of question; and how long one took, by whether the id is there."""
    answers, seconds = ({}, {}), ([], [])
    for first in range(0, count, OPEN):
        asked, begun = {}, time.monotonic()
        is_there = first // OPEN % 2
        names = there if is_there else nowhere
        for i in range(OPEN):
            number, at = first + i, (first // 2 + i) % len(names)
            asked[number] = of_vault(number, names[at], names[at - 1])
        link.say(*asked.values())
        while asked:
            raw, message = link.await_one(PACK_DATA, LIST_DATA, PROOF)
            kind = asked.pop(message[1])[0]
            answers[is_there].setdefault(kind, set()).add(without_number(raw, message[1]))
        seconds[is_there].append((time.monotonic() - begun) / OPEN)
    return answers, seconds


def of_collection(number, coll, keys):
    kind = number % 6
    if kind == 0:
        return [STATE_ASK, coll]
    if kind == 1:
        return [FP_ASK, coll, 1 + number % 2, number % 256]
    if kind == 2:
        return [KEYS_ASK, coll, number % 65536]
    if kind == 3:
        return [WANT, coll, [keys[number % len(keys)]]]
    if kind == 4:
        return [CHAIN_ASK, coll, [bytes(16), 0]]
    return [NEEDPAGES, coll, number, b"", b""]


def ask_collections(link, count, shared, hidden, absent, keys):
    """What comes between two answers about the shared collection, of those questions about each."""
    heard = ([], [])
    for first in range(0, count, OPEN):
        is_there = first // OPEN % 2
        coll = hidden if is_there else absent
        link.say(*(of_collection(first + i, coll, keys) for i in range(OPEN)), [STATE_ASK, shared])
        while True:
            raw, message = link.hear()
            if message[0] == STATE and message[1] == shared:
                break
            if message[0] in (STATE, 14, 16, 19, 22, 28) or hidden in raw or absent in raw:
                heard[is_there].append(raw)
    return heard


def names_in(path):
    with open(path, encoding="ascii") as file:
        return [bytes.fromhex(line) for line in file.read().split()]


def collections_of(link):
    """The ids of the collections in the ledger: those of all sites, and the others."""
    link.say([HEADS, [], True])
    for_all, for_some = [], []
    while not (for_all and for_some):
        for entry in link.await_one(LEDGER)[1][1]:
            body = Reader(entry).item()[0]
            if body[0] == CREATE_COLLECTION:
                (for_all if body[4]["members"] is None else for_some).append(body[4]["coll"])
    return for_all[0], for_some[0]


def median(values):
    return sorted(values)[len(values) // 2] * 1e6


def main():
    address, seed, count, there, nowhere, keys = sys.argv[1:]
    count, there, nowhere = int(count), names_in(there), names_in(nowhere)
    with tempfile.TemporaryDirectory() as work:
        first, second = contexts(seed, work)
    link = Link(first, address)
    group = link.await_one(HELLO)[1][3]
    link.say([HELLO, 1, 1, group, bytes(32), int(time.time() * 1000), "1.0", None])
    shared, hidden = collections_of(link)
    heard = ask_collections(link, count // 2, shared, hidden, os.urandom(16), keys.split(","))
    assert heard == ([], []), f"answers about a collection: {heard[0][:2]} {heard[1][:2]}"
    print(f"{count // 2} questions about a collection that is another's and one that never was: no answer")
    bulk = Link(second, address)
    bulk.say([BULK_HELLO, 1, 1, group], [VAULT_ASK, bytes(32), bytes(32), 0])
    state = bulk.await_one(VAULT_STATE)[1]
    assert state[6] > 0, "nothing of this site is held there: the test would see nothing"
    answers, seconds = ask_vault(bulk, count // 2, there, nowhere)
    assert answers[0] == answers[1], f"{answers}"
    sizes = {kind: {len(answer) for answer in kinds} for kind, kinds in answers[0].items()}
    assert all(len(kinds) == 1 for kinds in answers[0].values()), f"{sizes}"
    assert b"unknown" in next(iter(answers[0][PACK_GET])) and b"unknown" in next(iter(answers[0][LIST_GET]))
    print(f"{count // 2} questions for packs, lists and proofs: answers of", sizes, "bytes, the same for both")
    print(f"median of an answer: {median(seconds[1]):.1f} us of one that is there, {median(seconds[0]):.1f} us of one that is not")
    own = names_in_own(bulk)
    bulk.say([PACK_GET, 1, own[0], 0, 1000])
    data = bulk.await_one(PACK_DATA)[1]
    assert data[2] is None and len(data[4]) > 0, "its own pack is not given: the test would see nothing"


def names_in_own(bulk):
    bulk.say([53, 0, None])
    names = bulk.await_one(54)[1][3]
    return [names[i:i + 32] for i in range(0, len(names), 32)]


main()
