#!/usr/bin/python3
"""What a member site gets over quoin-web/1 about a folder, byte for byte, for outsider.sh.

    outsider.py ADDRESS SEED FOLDER OWN ETAG    ADDRESS: host:port; SEED: the file with the site's key

Asks everything that could tell of FOLDER, also by way of OWN, a folder that the site has a part in, and
prints what came: each request, and the whole answer but for its date and its ids. The folder's own name stands
as `FOLDER` in it, so that two runs can be compared.
"""
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile

PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, before the seed
LOCK = (
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
)
ALL = '<propfind xmlns="DAV:"><allprop/></propfind>'
METHODS = (
    "GET HEAD OPTIONS PUT PATCH POST DELETE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH TRACE".split()
)
PEOPLE = (("anne", "write"), ("anne", "read"))


def context(seed_file, folder):
    with open(seed_file, "rb") as file:
        seed = file.read(32)
    der, key, certificate = (os.path.join(folder, name) for name in ("der", "key", "certificate"))
    with open(der, "wb") as file:
        file.write(PKCS8 + seed)
    openssl = ["openssl", "pkey", "-inform", "DER", "-in", der, "-out", key]
    subprocess.run(openssl, check=True, capture_output=True)
    openssl = ["openssl", "req", "-x509", "-new", "-key", key, "-out", certificate, "-days", "2", "-subj", "/CN=site"]
    subprocess.run(openssl, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.set_alpn_protocols(["quoin-web/1"])
    tls.load_cert_chain(certificate, key)
    return tls


def exchange(tls, address, request):
    """All that comes on a connection of its own, until the other end closes it."""
    host, port = address.rsplit(":", 1)
    received = b""
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        with tls.wrap_socket(plain) as stream:
            stream.sendall(request)
            while piece := stream.recv(65536):
                received += piece
    assert received[:4] == bytes(4), "no welcome"
    return received[4:]


def request(method, path, fields=(), body="", person=PEOPLE[0]):
    head = [f"{method} {path} HTTP/1.1", "Host: home.example", f"X-Quoin-Person: {person[0]}",
            f"X-Quoin-Right: {person[1]}", "Connection: close", *fields]
    if body or method in ("PUT", "POST", "PATCH"):
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def direct(folder):
    for person in PEOPLE:
        for method in METHODS:
            for path in (f"/dav/{folder}", f"/dav/{folder}/", f"/dav/{folder}/secret-file.txt",
                         f"/dav/{folder}/none", f"/api/v1/folders/{folder}/list",
                         f"/api/v1/folders/{folder}/files/secret-file.txt", f"/api/v1/folders/{folder}/files?zip",
                         f"/api/v1/folders/{folder}/search?q=secret", f"/api/v1/folders/{folder}"):
                yield request(method, path, person=person)
    yield request("LOCK", f"/dav/{folder}/secret-file.txt", body=LOCK)
    for depth in ("0", "1", "infinity"):
        yield request("PROPFIND", f"/dav/{folder}/", (f"Depth: {depth}",), ALL)
    yield request("PUT", f"/dav/{folder}/new", body="x" * 1000)


def collections(folder):
    for path in (f"/api/v1/collections/{folder}/records", f"/api/v1/collections/{folder}/records/secret-key",
                 f"/api/v1/collections/{folder}/trash", f"/api/v1/collections/{folder}/record?key=secret-key",
                 "/api/v1/collections", "/api/v1/folders", "/api/v1/search?q=secret", "/api/v1/conflicts",
                 "/api/v1/status", "/api/v1/me", "/dav/", "/dav", "/"):
        for method in ("GET", "PROPFIND", "PUT", "DELETE"):
            yield request(method, path)


def around(folder, own, etag):
    """By way of a folder that the site has a part in."""
    there = f"http://home.example/dav/{folder}/secret-file.txt"
    for method in ("COPY", "MOVE"):
        for target in (there, f"/dav/{folder}/new", f"http://home.example/dav/{folder}/",
                       f"/dav/{own}/../{folder}/secret-file.txt"):
            for fields in ((), ("Overwrite: F",)):
                yield request(method, f"/dav/{own}/mine.txt", (f"Destination: {target}", *fields))
    for condition in (f'(["{etag}"])', '(["other"])', "(<urn:uuid:00000000-0000-4000-8000-000000000000>)", "(Not <DAV:no-lock>)"):
        yield request("GET", f"/dav/{own}/mine.txt", (f"If: <{there}> {condition}",))
        yield request("PROPFIND", f"/dav/{own}/", ("Depth: 0", f"If: <{there}> {condition}",))
    for path in (f"/dav/{own}/../{folder}/secret-file.txt", f"/dav/{own}/%2e%2e/{folder}/", f"/dav//{folder}/",
                 f"/dav/./{folder}/", f"/dav/{own}%2f..%2f{folder}/", f"/dav/{folder.upper()}/",
                 f"/api/v1/folders/{own}/list/../../{folder}/list"):
        yield request("GET", path)
    for words in ("secret", "secret-file", "needle"):
        yield request("GET", f"/api/v1/folders/{own}/search?q={words}")
        yield request("GET", f"/api/v1/folders/{own}/search?q={words}&folder={folder}")
    for target in (f"../{folder}/x", f"/../{folder}/secret-file.txt", f"{folder}/x"):
        for do in ("copy", "move"):
            yield request("POST", f"/api/v1/folders/{own}/files/none", ("Content-Type: application/json",),
                          f'{{"do":"{do}","to":"{target}"}}')


def allowed(own):
    yield request("GET", f"/dav/{own}/mine.txt")


def plain(text, folder):
    """Without what differs from one answer to the next anyway."""
    text = re.sub(rb"(?im)^date: [^\r\n]*", b"Date: -", text)
    return text.replace(folder.encode(), b"FOLDER").replace(folder.upper().encode(), b"FOLDER")


def main():
    address, seed, folder, own, etag = sys.argv[1:]
    count = 0
    with tempfile.TemporaryDirectory() as work:
        tls = context(seed, work)
        for asked in (*direct(folder), *collections(folder), *around(folder, own, etag), *allowed(own)):
            got = exchange(tls, address, asked)
            assert got, asked
            sys.stdout.buffer.write(b"> " + plain(asked, folder) + b"\n" + plain(got, folder) + b"\n\n")
            count += 1
    print(f"{count} requests", file=sys.stderr)


main()
