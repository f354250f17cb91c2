#!/usr/bin/python3
"""W11: a directory of many files is listed whole, and costs the server no more memory than one of few.

    dav_crowd.py URL AUTHORITY DIRECTORY PID FILES MEMORY_KIB
"""
import os
import sys

from dav_client import AUTHORIZATION, Client, equal


def memory_kib(pid):
    with open("/proc/%s/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def main():
    url, authority, folder, pid, files, most = sys.argv[1:5] + [int(a) for a in sys.argv[5:7]]
    client = Client(url, authority)
    os.mkdir(os.path.join(folder, "crowd"))
    for number in range(files):
        os.mknod(os.path.join(folder, "crowd", "file %06d" % number), 0o644)
    equal("one", 207, client.ask("PROPFIND", "/crowd", b"", {"Depth": "0"})[0])
    before, peak, size = memory_kib(pid), 0, 0
    client.line.request("PROPFIND", client.target("/crowd"), b"", {"Authorization": AUTHORIZATION, "Depth": "1"})
    answer = client.line.getresponse()
    equal("the list", 207, answer.status)
    names, rest = 0, b""
    while piece := answer.read(1 << 20):
        size += len(piece)
        rest += piece
        names += rest.count(b"</D:response>")
        rest = rest[rest.rfind(b"</D:response>") + 13:] if b"</D:response>" in rest else rest
        peak = max(peak, memory_kib(pid))
    equal("how many", files + 1, names)
    equal("infinity", 403, client.ask("PROPFIND", "/crowd", b"", {"Depth": "infinity"})[0])
    assert most == 0 or peak - before <= most, "%d KiB more, not %d" % (peak - before, most)
    print("crowd: %d files, %d bytes, %d KiB of memory" % (files, size, peak - before))


main()
