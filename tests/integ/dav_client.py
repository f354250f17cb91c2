"""A WebDAV client for tests that need more than other people's: one connection, and the server of dav_lib.sh.

    client = Client(URL, AUTHORITY)      status, fields, content = client.ask("PUT", "/a", b"content")

A path is text below URL, given encoded to the server; `raw` is one that is sent as it stands.
"""
import base64
import http.client
import re
import ssl
import time
import urllib.parse

AUTHORIZATION = "Basic " + base64.b64encode(b"anna:secret").decode()


class Client:
    def __init__(self, url, authority):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.base = parts.hostname, parts.port, parts.path
        self.context = ssl.create_default_context(cafile=authority)
        self.line = None

    def target(self, path):
        return self.base + urllib.parse.quote(path, safe="/")

    def ask(self, method, path, body=None, fields=None, raw=None):
        if self.line is None:
            self.line = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=60)
        target = raw if raw is not None else self.target(path)
        try:
            self.line.request(method, target, body, {"Authorization": AUTHORIZATION, **(fields or {})})
            answer = self.line.getresponse()
            content = answer.read()
        except Exception:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def put_slowly(self, path, content, fields, pause_s):
        """A PUT; with a pause the body follows when the server has said 100 Continue, and that time has passed. Gives
        status and fields, when the last of it was sent, and when the server had begun (None: not known)."""
        begun = None
        if pause_s is None:
            sent = time.monotonic()
            return *self.ask("PUT", path, content, fields)[:2], sent, begun
        if self.line is None:
            self.ask("HEAD", path)
        self.line.putrequest("PUT", self.target(path))
        head = {"Authorization": AUTHORIZATION, "Expect": "100-continue", "Content-Length": str(len(content)), **fields}
        for name, value in head.items():
            self.line.putheader(name, value)
        self.line.endheaders()
        word = b""
        while not word.endswith(b"\r\n\r\n"):
            piece = self.line.sock.recv(1)
            if not piece:
                raise ConnectionError("no answer to a PUT")
            word += piece
        if not word.startswith(b"HTTP/1.1 100 "):
            self.close()
            return int(word.split()[1]), {}, time.monotonic(), begun
        begun = time.monotonic()
        time.sleep(pause_s)
        sent = time.monotonic()
        self.line.send(content)
        answer = self.line.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, sent, begun

    def close(self):
        if self.line is not None:
            self.line.close()
        self.line = None

    def destination(self, path):
        return {"Destination": "https://%s:%d%s" % (self.host, self.port, self.target(path))}

    def listing(self, path):
        """The names in it."""
        status, _, content = self.ask("PROPFIND", path, b"", {"Depth": "1"})
        assert status == 207, "%s: %d" % (path, status)
        own = self.target(path).rstrip("/")
        hrefs = [h.rstrip("/") for h in re.findall(r"<D:href>([^<]*)</D:href>", content.decode())]
        return sorted(urllib.parse.unquote(h[len(own) + 1:], errors="strict") for h in hrefs if h != own)


def equal(what, wanted, got):
    if wanted != got:
        raise AssertionError("%s: wanted %r, got %r" % (what, wanted, got))
