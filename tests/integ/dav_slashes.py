#!/usr/bin/python3
"""W6: a collection is the same with a slash at its end and without, for every method and in Destination; nothing is
redirected.

    dav_slashes.py URL AUTHORITY
"""
import itertools
import sys

from dav_client import Client, equal


def main():
    client = Client(*sys.argv[1:3])
    for one, two, three in itertools.product(("", "/"), repeat=3):
        case = "%r %r %r" % (one, two, three)
        equal("MKCOL " + case, 201, client.ask("MKCOL", "/s" + one)[0])
        equal("MKCOL again " + case, 405, client.ask("MKCOL", "/s" + two)[0])
        equal("PUT " + case, 201, client.ask("PUT", "/s/a", b"x")[0])
        for depth in "01":
            status, _, content = client.ask("PROPFIND", "/s" + two, b"", {"Depth": depth})
            equal("PROPFIND " + case, (207, 1), (status, content.count(b"<D:href>/dav/F/s/</D:href>")))
        equal("COPY " + case, 201, client.ask("COPY", "/s" + one, None, client.destination("/t" + two))[0])
        equal("MOVE " + case, 201, client.ask("MOVE", "/t" + two, None, client.destination("/u" + three))[0])
        fields = dict(client.destination("/u" + one), Overwrite="F")
        equal("MOVE to what is there " + case, 412, client.ask("MOVE", "/s" + two, None, fields)[0])
        equal("the content", (200, b"x"), client.ask("GET", "/u/a")[::2])
        patch = b'<propertyupdate xmlns="DAV:"><set><prop><c xmlns="x:">red</c></prop></set></propertyupdate>'
        equal("PROPPATCH " + case, 207, client.ask("PROPPATCH", "/u" + one, patch)[0])
        assert b"red" in client.ask("PROPFIND", "/u" + three, b"", {"Depth": "0"})[2], case
        lock = b'<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
        status, fields, _ = client.ask("LOCK", "/u" + two, lock)
        equal("LOCK " + case, 200, status)
        equal("DELETE of what is locked " + case, 423, client.ask("DELETE", "/u" + one)[0])
        equal("UNLOCK " + case, 204, client.ask("UNLOCK", "/u" + three, None, {"Lock-Token": fields["lock-token"]})[0])
        equal("DELETE " + case, 204, client.ask("DELETE", "/u" + three)[0])
        equal("DELETE " + case, 204, client.ask("DELETE", "/s" + two)[0])
        equal("it is gone " + case, 404, client.ask("PROPFIND", "/s" + one, b"", {"Depth": "0"})[0])
    print("slashes: 8 ways")


main()
