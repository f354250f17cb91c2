#!/usr/bin/python3
"""What clients need to the letter, on a real directory: OPTIONS everywhere, 100 Continue for whoever may go on only, one
ETag for what is one content, what Windows leaves at its copies, times that no file can have.

    dav_needs.py URL AUTHORITY DIRECTORY
"""
import hashlib
import os
import re
import socket
import sys

from dav_client import AUTHORIZATION, Client, equal

WINDOWS = (b'<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:">'
           b"<D:set><D:prop><Z:Win32CreationTime>Fri, 13 Feb 2009 23:31:28 GMT</Z:Win32CreationTime>"
           b"<Z:Win32LastAccessTime>Fri, 13 Feb 2009 23:31:29 GMT</Z:Win32LastAccessTime>"
           b"<Z:Win32LastModifiedTime>%s</Z:Win32LastModifiedTime>"
           b"<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>")
LOCK = b'<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'


def first_word(client, text):
    """The first status that comes to these bytes, before any of a body was sent."""
    with socket.create_connection((client.host, client.port), 30) as plain:
        line = client.context.wrap_socket(plain, server_hostname=client.host)
        line.sendall(text.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = line.recv(65536)
            assert piece, "no answer to %r" % text
            answer += piece
        return answer.decode()


def options(client):
    for target in ("/", "*", "/dav", "/dav/", "/dav/F", "/dav/F/", "/dav/F/none"):
        head = first_word(client, "OPTIONS %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
        equal("OPTIONS " + target, "HTTP/1.1 200 OK", head.split("\r\n")[0])
        for field in ("DAV: 1, 2, 3", "MS-Author-Via: DAV"):
            assert "\r\n%s\r\n" % field in head, "OPTIONS %s: no %s in %s" % (target, field, head)


def may_go_on(client):
    """A body is asked for when it is known who sends it, and that it may come."""
    client.ask("PUT", "/expected", b"there")
    token = client.ask("LOCK", "/taken", LOCK)[1]["lock-token"]
    cases = (("/expected", "", 100), ("/expected", None, 401), ("/expected", "If-None-Match: *", 412),
             ("/expected", 'If-Match: "other"', 412), ("/expected", "If: (<urn:uuid:none>)", 412), ("/none/x", "", 409), ("/taken", "", 423))
    for path, field, wanted in cases:
        who = "" if field is None else "Authorization: %s\r\n" % AUTHORIZATION
        head = "PUT %s HTTP/1.1\r\nHost: localhost\r\n%s%sContent-Length: 5\r\nExpect: 100-continue\r\n\r\n" % (
            client.target(path), who, field + "\r\n" if field else "")
        equal("%s %s" % (path, field), wanted, int(first_word(client, head).split()[1]))
    equal("UNLOCK", 204, client.ask("UNLOCK", "/taken", None, {"Lock-Token": token})[0])


def etags(client, path):
    found = [client.ask("GET", path)[1].get("etag"), client.ask("HEAD", path)[1].get("etag")]
    for where, depth in ((path, "0"), ("/tags", "1")):
        listing = client.ask("PROPFIND", where, b"", {"Depth": depth})[2].decode()
        own = re.search(re.escape(client.target(path)) + "</D:href>.*?<D:getetag>(.*?)<", listing)
        found.append(own and own.group(1).replace("&quot;", '"'))
    return found


def one_etag(client):
    equal("MKCOL", 201, client.ask("MKCOL", "/tags")[0])
    for content in (b"", b"some text"):
        wanted = '"c%s"' % hashlib.sha256(content).hexdigest()[:32]
        equal("of a PUT", wanted, client.ask("PUT", "/tags/put", content)[1].get("etag"))
        equal("everywhere", [wanted] * 4, etags(client, "/tags/put"))
    status, fields, _ = client.ask("LOCK", "/tags/locked", LOCK)
    equal("LOCK of a new name", 201, status)
    wanted = '"c%s"' % hashlib.sha256(b"").hexdigest()[:32]
    equal("of what a LOCK made", [wanted] * 4, etags(client, "/tags/locked"))
    given = {"If": "(%s [%s])" % (fields["lock-token"], wanted)}
    equal("PUT with both", 204, client.ask("PUT", "/tags/locked", b"new", given)[0])
    equal("UNLOCK", 204, client.ask("UNLOCK", "/tags/locked", None, {"Lock-Token": fields["lock-token"]})[0])


def windows(client, folder):
    """A listing of what it copied is no longer than that of other files: it reads 1,000,000 bytes of 1,500."""
    equal("MKCOL", 201, client.ask("MKCOL", "/copied")[0])
    for number in range(150):
        path = "/copied/Compte rendu de la réunion du %04d.docx" % number
        with open(folder + path, "w") as file:
            file.write("x")
        status, _, content = client.ask("PROPPATCH", path, WINDOWS % b"Fri, 13 Feb 2009 23:31:30 GMT")
        assert status == 207 and b"HTTP/1.1 4" not in content, content
    listing = client.ask("PROPFIND", "/copied", b"", {"Depth": "1"})[2]
    equal("all of them", 151, listing.count(b"<D:response>"))
    equal("their dates", 150, listing.count(b"<D:creationdate>2009-02-13T23:31:28Z<"))
    assert len(listing) < 100000, "%d bytes" % len(listing)


def odd_times(client, folder):
    for text, first_s, last_s in ((b"Mon, 01 Jan 1601 00:00:00 GMT", -2**63, 0), (b"Fri, 31 Dec 9999 23:59:59 GMT", 2**31 - 1, 2**63)):
        equal("PUT", True, client.ask("PUT", "/odd", b"x")[0] in (201, 204))
        content = client.ask("PROPPATCH", "/odd", WINDOWS % text)[2]
        assert b"HTTP/1.1 200" in content and b"HTTP/1.1 4" not in content, content
        modified_s = os.stat(os.path.join(folder, "odd")).st_mtime
        assert first_s <= modified_s <= last_s, "%s became %d" % (text.decode(), modified_s)


def main():
    client, folder = Client(*sys.argv[1:3]), sys.argv[3]
    options(client)
    may_go_on(client)
    one_etag(client)
    windows(client, folder)
    odd_times(client, folder)
    for name in ("expected", "taken", "odd", "tags", "copied"):
        equal("DELETE", 204, client.ask("DELETE", "/" + name)[0])
    print("needs: OPTIONS, 100 Continue, ETags, what Windows leaves")


main()
