#!/usr/bin/python3
"""W17: 500 names and more, each written, listed, read, moved, and removed, as clients of all systems write them; and
names that are none, which change nothing.

    dav_names.py URL AUTHORITY DIRECTORY
"""
import os
import sys
import unicodedata
import urllib.parse

from dav_client import Client, equal

STEMS = [
    "plan", "Menu de Noël", "été à Cœur", "ça & là", "100 %", "100%25", "%2e%2e", "a+b", "a;b", "a,b", "a=b", "a@b", "a'b", "a!b", "a(b)",
    "a[b]", "a{b}", "a^b", "a`b", "a~b", "~tilde", "$dollar", "#hash", "a#b", "a?b", "a*b", "a:b", "a|b", "a<b>", 'a"b"', "a\\b",
    " vorn", "hinten ", "zwei  Leer", "-strich", "--", "_", ".versteckt", "..zwei", "...", "a..b", "punkt.", "CON", "nul.txt", "com1",
    "LPT9.log", "aux .txt", "._plan", ".DS_Store", "Thumbs.db", "desktop.ini", "~$plan.docx", ".~lock.plan.odt#", "Größe", "ŒUVRE",
    "Ångström", "naïve", "ñandú", "čeština", "Ελληνικά", "кириллица", "العربية", "עברית", "हिन्दी", "ไทย", "中文", "日本語", "한국어",
    "\U0001f600", "\U0001f469\u200d\u2695\ufe0f", "a\u0301\u0323b", "ﬁ", "İi", "ß", "Ⅷ", "½", "a\u00a0b", "a\u2009b", "a\u2013b", "…",
    "x" * 200, "é" * 100, "中" * 60, "&amp;", "]]>", "<!--", "a%00b", "a%2Fb", "null", "undefined", "NaN",
]
ENDINGS = ["", ".txt", ".DOCX", " (1)", "-kopie", "_2026-11-27"]
NONE = ["%00", "a%00b", "%01", "a%0ab", "a%0d%0ab", "%7f", "%1b%5b31m", "a%2fb", "%ff", "%c3", "%ed%a0%80", "%c0%af", "%zz", "%", "%2",
        ".quoin-upload-1", ".quoin-folder", "x" * 256, "%c3%a9" * 128, "."]


def corpus():
    seen, names = set(), []
    for ending in ENDINGS:
        for stem in STEMS:
            name = stem + ending
            form = unicodedata.normalize("NFC", name)
            if form not in seen and len(form.encode()) <= 255:
                seen.add(form)
                names.append(name)
    return names


def all_forms(client, folder, name, number):
    composed, apart = unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)
    content = b"%d" % number
    path = "/n/" + (apart if number % 2 else composed)
    equal("PUT " + name, 201, client.ask("PUT", path, content)[0])
    with open(os.path.join(folder, "n", composed), "rb") as file:
        equal("on the disk " + name, content, file.read())
    for form in (composed, apart):
        status, _, got = client.ask("GET", "/n/" + form)
        equal("GET " + form, (200, content), (status, got))
    status, _, got = client.ask("PROPFIND", "/n/" + apart, b"", {"Depth": "0"})
    equal("PROPFIND " + name, 207, status)
    assert client.target("/n/" + composed).encode() in got.replace(b"~", b"~"), "%r is not named so in %r" % (composed, got)


def away_and_back(client, name):
    path = "/n/" + name
    equal("MOVE " + name, 201, client.ask("MOVE", path, None, client.destination("/n/moved"))[0])
    equal("COPY to " + name, 201, client.ask("COPY", "/n/moved", None, client.destination(path))[0])
    equal("DELETE", 204, client.ask("DELETE", "/n/moved")[0])


def main():
    url, authority, folder = sys.argv[1:4]
    client, names = Client(url, authority), corpus()
    assert len(names) >= 500, len(names)
    equal("MKCOL", 201, client.ask("MKCOL", "/n")[0])
    for number, name in enumerate(names):
        all_forms(client, folder, name, number)
        if number % 5 == 0:
            away_and_back(client, name)
    wanted = sorted(unicodedata.normalize("NFC", name) for name in names)
    equal("the listing", wanted, client.listing("/n"))
    for name in NONE:
        status = client.ask("PUT", "", b"x", raw=client.target("/n/") + name)[0]
        assert status in (400, 403, 404, 405, 409, 414), "%s: %d" % (name, status)
    equal("the listing", wanted, client.listing("/n"))
    equal("the disk", wanted, sorted(os.listdir(os.path.join(folder, "n"))))
    for name in names:
        equal("DELETE " + name, 204, client.ask("DELETE", "/n/" + name)[0])
    equal("the listing", [], client.listing("/n"))
    print("names: %d, and %d that are none" % (len(names), len(NONE)))


main()
