#!/usr/bin/python3
"""The page in a browser, for page.sh: chromium without a window, driven over the DevTools protocol.

    page.py URL SECRET WORK PID    SECRET: of the second factor, in base 32; WORK: a directory;
                                   PID: the daemon of another site, which is stopped for a while

Anne signs in with her second factor, edits a record, resolves a conflict, uploads, downloads, takes an
archive; in English on a desktop, in French on a telephone, and with nothing but the keyboard. Pictures of
all views go to WORK/shots. Anything that the page throws, or the browser refuses (CSP), is a failure.
"""
import base64
import hashlib
import hmac
import json
import os
import signal
import struct
import subprocess
import sys
import time
import urllib.request
import zipfile

try:
    import websocket
except ImportError:
    websocket = None  # another browser needs none

PASSWORD = "a rather long password"
PATIENCE_S = 20
KEYS = {
    "Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), "Backspace": (8, ""), "End": (35, ""), "Space": (32, " "),
}


def patiently(probe, failure, patience_s=PATIENCE_S):
    """What the probe gives as soon as it is something; it is asked again and again. The one way to wait here."""
    deadline = time.time() + patience_s
    while not (got := probe()):
        if time.time() > deadline:
            raise AssertionError("not within %d s: %s" % (patience_s, failure()))
        time.sleep(0.05)
    return got


def code_of(secret, step):
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


class Codes:
    """A code is good once: each asks for the next step, a step ahead of the clock at most."""

    def __init__(self, secret):
        self.secret, self.last = secret, int(time.time() / 30) - 1  # that was set up with it, or one before

    def next(self):
        patiently(lambda: self.last < int(time.time() / 30) + 1, lambda: "a code that is new", 40)
        self.last = max(self.last + 1, int(time.time() / 30) - 1)
        return code_of(self.secret, self.last)


SOUND = r"""(() => {
    const troubles = [], seen = (e) => e.getClientRects().length > 0 && !e.closest('.unseen');
    const all = (css) => [...document.querySelectorAll(css)].filter(seen);
    if (all('main').length !== 1) troubles.push('not one main part');
    if (all('h1').length !== 1) troubles.push('not one heading');
    if (!document.documentElement.lang) troubles.push('no language');
    for (const e of all('nav')) if (!e.getAttribute('aria-label')) troubles.push('a nav without a name');
    for (const e of all('dialog')) if (!e.getAttribute('aria-labelledby')) troubles.push('a dialog without a name');
    for (const e of all('a, button, input, select, textarea, summary, progress')) {
        const name = e.getAttribute('aria-label') || [...(e.labels ?? [])].map((l) => l.textContent).join('') || e.textContent;
        if (!name.trim()) troubles.push('no name: ' + e.outerHTML.slice(0, 100));
    }
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const bytes = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
        const [r, g, b] = bytes(colour).slice(0, 3).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = (e) => {
        for (; e; e = e.parentElement) if (bytes(getComputedStyle(e).backgroundColor)[3] === 255) return getComputedStyle(e).backgroundColor;
        return 'Canvas';
    };
    const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    for (const e of all('#page *, dialog *').filter((e) => own(e) && !e.closest(':disabled'))) {
        const one = light(getComputedStyle(e).color), two = light(paper(e));
        const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (contrast < 4.5) troubles.push(`contrast ${contrast.toFixed(1)}: ${e.textContent.slice(0, 40)}`);
    }
    return troubles;
})()"""


class Browser:
    def __init__(self, work):
        self.profile = os.path.join(work, "profile")
        os.makedirs(self.profile, exist_ok=True)
        command = [
            "chromium", "--headless=new", "--remote-debugging-port=0", "--user-data-dir=" + self.profile,
            "--no-first-run", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--ignore-certificate-errors", "--disable-background-networking", "--remote-allow-origins=*",
            "--disable-component-update", "--force-color-profile=srgb", "about:blank",
        ]
        log = open(os.path.join(work, "chromium.log"), "wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        told = os.path.join(self.profile, "DevToolsActivePort")
        patiently(lambda: os.path.exists(told) and "\n" in open(told).read(),
                  lambda: "chromium starts (chromium.log; it ended with %s)" % self.process.poll(), 2 * PATIENCE_S)
        self.port = int(open(told).readline())

    def page(self):
        pages = json.load(urllib.request.urlopen("http://127.0.0.1:%d/json/list" % self.port))
        return next(entry["webSocketDebuggerUrl"] for entry in pages if entry["type"] == "page")

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class Page:
    """A page of chromium; page_firefox.py has the same of Firefox."""
    prints = True  # it shows how it will be on paper

    def __init__(self, browser, work):
        self.socket = websocket.create_connection(browser.page(), timeout=PATIENCE_S)
        self.work, self.number, self.troubles, self.prefix = work, 0, [], ""
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=os.path.join(work, "down"))

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise AssertionError("%s: %s" % (method, message["error"]["message"]))
                return message["result"]
            self.note(message)

    def note(self, message):
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.troubles.append(details.get("exception", {}).get("description", details["text"]))
        entry = params.get("entry", {})
        is_answer = "the server responded with a status of" in entry.get("text", "")
        if message.get("method") == "Log.entryAdded" and entry["level"] == "error" and not is_answer:
            self.troubles.append(entry["text"])

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError("%s: %s" % (script, result["exceptionDetails"]))
        return result["result"].get("value")

    def until(self, script, what):
        def failure():
            self.shot("failure")
            return "%s%s\n  the page says: %s" % (self.prefix, what, self.run("document.body.innerText"))
        patiently(lambda: self.run(script), failure)
        print("ok:", self.prefix, what)

    def says(self, text):
        self.until("document.body.innerText.includes(%s)" % json.dumps(text), "it says " + repr(text))

    def go(self, url):
        self.call("Page.navigate", url=url)

    def place(self, css, text=""):
        script = """(() => {
            const seen = (e) => e.getClientRects().length > 0;
            const found = [...document.querySelectorAll(%s)].filter((e) => seen(e) && e.textContent.includes(%s));
            const e = found.find((e) => e.textContent.trim() === %s) ?? found[0];
            if (!e) return null;
            e.scrollIntoView({ block: 'center' });
            const r = e.getBoundingClientRect();
            return [r.left + r.width / 2, r.top + r.height / 2];
        })()""" % (json.dumps(css), json.dumps(text), json.dumps(text))
        self.until("(%s) !== null" % script, "there is %s %s" % (css, text))
        return self.run(script)

    def click(self, css, text=""):
        self.press(*self.place(css, text))

    def press(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name, times=1, modifiers=0):
        number, text = KEYS[name]
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=" " if name == "Space" else name,
                      code=name, windowsVirtualKeyCode=number, text=text, modifiers=modifiers)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=number,
                      modifiers=modifiers)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def put(self, css, text):
        self.click(css)
        self.run("document.activeElement.select()")
        self.type(text)

    def tab_to(self, script, what):
        """Presses Tab until what has the focus fits, and asks that the focus can be seen. It may go round through the
        browser's own buttons, while the page remembers what had it."""
        for _ in range(80):
            self.key("Tab")
            if self.run("(() => { const e = document.activeElement; return document.hasFocus() && (%s); })()" % script):
                visible = self.run("""(() => {
                    const s = getComputedStyle(document.activeElement);
                    return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1; })()""")
                assert visible, "the focus is not seen: " + what
                print("ok:", self.prefix, "by keyboard:", what)
                return
        self.shot("failure")
        raise AssertionError("the keyboard does not reach: " + what)

    def shot(self, name):
        time.sleep(0.1)  # for the eye only: fonts and transitions
        with open(os.path.join(self.work, "shots", "%s%s.png" % (self.prefix, name)), "wb") as file:
            file.write(base64.b64decode(self.picture()))

    def picture(self):
        return self.call("Page.captureScreenshot", format="png")["data"]

    def give_file(self, css, path):
        node = self.call("DOM.getDocument")["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=node, selector=css)
        self.call("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[path])

    def media(self, kind, scheme):
        self.call("Emulation.setEmulatedMedia", media=kind, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def is_fit_for_all(self, what):
        """One heading, landmarks, a name for all that can be used, and letters that stand out from their paper.
        Asked until it is so: a view may just be drawn."""
        patiently(lambda: not self.run(SOUND), lambda: "%s%s: %s" % (self.prefix, what, "; ".join(self.run(SOUND)[:8])))

    def fits(self, what):
        self.is_fit_for_all(what)
        wide = self.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.shot("failure")
            raise AssertionError("%s is %d pixels too wide" % (what, wide))
        self.shot(what)

    def screen(self, width, height, language, is_phone, prefix):
        self.prefix = prefix
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone)
        agent = self.run("navigator.userAgent")
        self.call("Network.setUserAgentOverride", userAgent=agent, acceptLanguage=language)


def wait_file(path, what):
    """A download: browsers have an empty file of its name before, and its part beside it."""
    beside = os.path.dirname(path)
    patiently(lambda: os.path.exists(path) and os.path.getsize(path) > 0 and
              not any(name.endswith((".part", ".crdownload")) for name in os.listdir(beside)), lambda: what)
    print("ok:", what)


def sign_in(page, url, codes, words):
    page.go(url)
    page.until("document.title.includes(%s)" % json.dumps(words["sign"]), "the door")
    page.fits("door")
    page.put("input[name=name]", "anne")
    page.put("input[name=password]", "wrong")
    page.click("button[type=submit]")
    page.says(words["wrong"])
    page.put("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.until("document.activeElement?.name === 'code'", "the code is asked for")
    page.fits("code")
    page.type("000 000")
    page.click("button[type=submit]")
    page.says(words["code"])
    page.put("input[name=code]", codes.next())
    page.click("button[type=submit]")
    page.until("document.querySelector('header nav') !== null", "she is in")


def views(page, words):
    for word in ("files", "records", "conflicts", "state"):
        page.click("nav a[href='#/%s']" % word)
        page.until("document.querySelector('main h1') !== null && !document.querySelector('main').innerText.includes(%s)"
                   % json.dumps(words["loading"]), word)
        page.fits(word)
    page.put("input[type=search]", "chambre")
    page.key("Enter")
    page.says(words["search"])
    page.until("document.querySelectorAll('main li').length >= 3", "a record, a file and one of another site are found")
    page.until("document.querySelector('main [role=status]') === null", "nobody is waited for any more")
    page.fits("search")


def search_of_a_slow_site(page, pid):
    """What is found here is shown before the other site has answered, and who is waited for is said."""
    os.kill(pid, signal.SIGSTOP)
    try:
        page.put("input[type=search]", "chambr")
        page.key("Enter")
        page.until("document.querySelectorAll('main li').length === 2 && "
                   "document.querySelector('main [role=status]')?.textContent.includes('two')", "two is waited for, what is here is shown")
        page.fits("search-slow")
    finally:
        os.kill(pid, signal.SIGCONT)
    page.until("document.querySelectorAll('main li').length >= 3", "two has answered")
    page.until("document.querySelector('main [role=status]') === null", "nobody is waited for any more")
    assert page.run("document.querySelector('main .note') === null"), "two is said to be silent"


def records(page):
    page.click("nav a[href='#/records']")
    page.click("main a", "residents")
    page.click("main a", "12")
    page.says("History")
    page.fits("record")
    page.run("[...document.querySelectorAll('form.record label')].find((l) => l.innerText.includes('room'))"
             ".querySelector('input').id = 'room'")
    page.put("#room", "214")
    page.click("button", "Save")
    page.until("document.getElementById('live').textContent === 'Saved.'", "it is saved, and said")
    page.click("main summary", "History")
    page.until("document.querySelectorAll('main details li').length > 1", "the history")
    page.fits("history")
    page.click("main button", "Add a field")
    page.until("document.querySelector('dialog[open]') !== null", "a dialog")
    page.fits("dialog")
    page.key("Escape")
    page.until("document.querySelector('dialog') === null", "Escape leaves it")


def conflict(page):
    page.click("nav a[href='#/conflicts']")
    page.click("main a", "7")
    page.says("Conflict in diet")
    page.fits("conflict")
    page.click("main section li:nth-child(2) button", "Take this one")
    page.until("document.querySelector('main section.attention') === null", "it is resolved")


def files(page, work):
    page.click("nav a[href='#/files']")
    page.click("main a", "plans")
    page.says("notes.txt")
    page.fits("folder")
    page.give_file("input[type=file][multiple]", os.path.join(work, "up", "Menu de Noël.odt"))
    page.says("Menu de Noël.odt")
    page.until("document.querySelector('ul.uploads')?.childElementCount === 0", "it has arrived")
    page.give_file("input[type=file][multiple]", os.path.join(work, "up", "Menu de Noël.odt"))
    page.says("Shall this one take its place?")
    page.fits("replace")
    page.click("dialog button", "Replace")
    page.until("document.querySelector('dialog') === null && document.querySelector('ul.uploads')?.childElementCount === 0",
               "it is replaced")
    page.click("main a", "Menu de Noël.odt")
    got = os.path.join(work, "down", "Menu de Noël.odt")
    wait_file(got, "it comes down")
    with open(got, "rb") as one, open(os.path.join(work, "up", "Menu de Noël.odt"), "rb") as other:
        assert one.read() == other.read(), "as another"
    page.click("main a.button", "Download all as ZIP")
    archive = os.path.join(work, "down", "plans.zip")
    wait_file(archive, "the archive comes down")
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.testzip() is None and "Menu de Noël.odt" in [n.split("/", 1)[-1] for n in zipped.namelist()] + \
            zipped.namelist(), zipped.namelist()
    page.click("main li details summary")
    page.fits("menu")
    page.key("Escape")


def keyboard(page, url, codes):
    page.go(url)
    page.until("document.activeElement?.name === 'name'", "the name has the focus")
    page.type("anne")
    page.tab_to("e.name === 'password'", "the password")
    page.type(PASSWORD)
    page.key("Enter")
    page.until("document.activeElement?.name === 'code'", "the code is asked for")
    page.type(codes.next())
    page.key("Enter")
    page.until("document.querySelector('header nav') !== null", "she is in")
    page.tab_to("e.className === 'skip'", "the way past the head")
    page.shot("skip")
    page.tab_to("e.getAttribute('href') === '#/records' && e.closest('nav') !== null", "the records")
    page.key("Enter")
    page.tab_to("e.textContent === 'residents'", "a collection")
    page.key("Enter")
    page.tab_to("e.textContent === '12'", "a record")
    page.key("Enter")
    page.says("History")
    page.tab_to("e.matches('form.record input') && e.value === '214'", "a field")
    page.run("document.activeElement.select()")
    page.type("215")
    page.key("Enter")
    page.until("document.getElementById('live').textContent === 'Saved.'", "it is saved, and said")
    page.tab_to("e.textContent === 'Delete'", "deleting")
    page.key("Enter")
    page.until("document.querySelector('dialog[open]') !== null", "it asks first")
    page.shot("sure")
    page.key("Escape")
    page.until("document.querySelector('dialog') === null", "Escape leaves it")
    page.tab_to("e.textContent === 'Sign out'", "the way out")
    page.key("Enter")
    page.until("document.activeElement?.name === 'name'", "she is out")


def dark_and_on_paper(page, words):
    page.prefix = "dark-"
    page.media("screen", "dark")
    page.until("matchMedia('(prefers-color-scheme: dark)').matches", "it is dark")
    views(page, words)
    page.click("nav a[href='#/records']")
    page.click("main a", "residents")
    page.click("main a", "12")
    page.says("History")
    page.fits("record")
    if not page.prints:
        page.media("screen", "light")
        return
    page.prefix = "paper-"
    page.media("print", "light")
    assert page.run("document.querySelector('header').getClientRects().length") == 0, "the head is printed"
    assert page.run("[...document.querySelectorAll('main button')].every((e) => e.getClientRects().length === 0)"), "buttons are printed"
    page.shot("record")
    page.media("screen", "light")


ENGLISH = {"sign": "Sign in", "wrong": "The name or the password is wrong.", "code": "The code is wrong",
           "loading": "Loading", "search": "Search: chambre"}
FRENCH = {"sign": "Se connecter", "wrong": "Le nom ou le mot de passe", "code": "Le code", "loading": "Chargement",
          "search": "chambre"}


def walk(page, url, secret, work, pid):
    codes = Codes(secret)
    page.screen(1280, 800, "en-GB", False, "desk-")
    sign_in(page, url, codes, ENGLISH)
    views(page, ENGLISH)
    search_of_a_slow_site(page, pid)
    records(page)
    conflict(page)
    files(page, work)
    dark_and_on_paper(page, ENGLISH)
    page.click("button", "Sign out")
    page.until("document.querySelector('input[name=password]') !== null", "she is out")
    page.screen(390, 844, "fr-FR", True, "phone-")
    sign_in(page, url, codes, FRENCH)
    views(page, FRENCH)
    page.go(url + "#/records/residents/12")
    page.until("[...document.querySelectorAll('input')].some((e) => e.value === '214')", "the record as it is now")
    page.fits("record")
    page.go(url + "#/files/plans")
    page.says("notes.txt")
    page.fits("folder")
    page.until("document.documentElement.lang === 'fr'", "it is in French")
    page.click("button", "Se déconnecter")
    page.until("document.querySelector('input[name=password]') !== null", "she is out")
    page.screen(1280, 800, "en-GB", False, "keys-")
    keyboard(page, url, codes)
    assert not page.troubles, "the browser complains:\n" + "\n".join(page.troubles)


def arguments():
    url, secret, work, pid = sys.argv[1:4] + [int(sys.argv[4])]
    for name in ("shots", "down"):
        os.makedirs(os.path.join(work, name), exist_ok=True)
    return url, secret, work, pid


def main():
    url, secret, work, pid = arguments()
    browser = Browser(work)
    try:
        walk(Page(browser, work), url, secret, work, pid)
    finally:
        browser.end()


if __name__ == "__main__":
    main()
