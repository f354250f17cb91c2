#!/usr/bin/python3
"""What page.py does, in Firefox without a window, driven over Marionette (a length, ':', and JSON over TCP).

    page_firefox.py URL SECRET WORK PID
"""
import base64
import json
import os
import socket
import subprocess

from page import PATIENCE_S, Page, arguments, patiently, walk

PREFERENCES = {
    "marionette.port": 0, "browser.download.folderList": 2, "browser.download.useDownloadDir": True,
    "browser.download.always_ask_before_handling_new_types": False, "browser.download.alwaysOpenPanel": False,
    "browser.helperApps.neverAsk.saveToDisk": "application/zip,application/octet-stream,application/vnd.oasis.opendocument.text",
    "app.update.enabled": False, "browser.aboutConfig.showWarning": False, "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False, "browser.shell.checkDefaultBrowser": False,
    "signon.rememberSignons": False, "toolkit.cosmeticAnimations.enabled": False, "ui.prefersReducedMotion": 1,
}
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Backspace": "\ue003", "End": "\ue010", "Space": " "}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ERRORS = """return Services.console.getMessageArray().filter((m) => m instanceof Ci.nsIScriptError && !(m.flags & Ci.nsIScriptError.warningFlag)
    && m.sourceName.startsWith(arguments[0])).map((m) => m.errorMessage);"""


class Firefox:
    def __init__(self, work):
        self.profile = os.path.join(work, "firefox")
        os.makedirs(self.profile, exist_ok=True)
        preferences = dict(PREFERENCES, **{"browser.download.dir": os.path.join(work, "down")})
        with open(os.path.join(self.profile, "user.js"), "w") as file:
            for name, value in preferences.items():
                file.write("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)))
        log = open(os.path.join(work, "firefox.log"), "wb")
        self.process = subprocess.Popen(["firefox-esr", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", self.profile, "about:blank"],
                                        stdout=log, stderr=log, env=dict(os.environ, HOME=self.profile))
        told = os.path.join(self.profile, "MarionetteActivePort")
        patiently(lambda: os.path.exists(told) and open(told).read().strip(),
                  lambda: "firefox starts (firefox.log; it ended with %s)" % self.process.poll(), 3 * PATIENCE_S)
        self.port = int(open(told).read())

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class FirefoxPage(Page):
    prints = False

    def __init__(self, browser, work, url):
        self.line = socket.create_connection(("127.0.0.1", browser.port), 3 * PATIENCE_S)
        self.work, self.url, self.number, self.prefix, self.rest = work, url, 0, "", b""
        self.take()  # who it is
        self.call("WebDriver:NewSession", acceptInsecureCerts=True)

    def take(self):
        while b":" not in self.rest:
            self.rest += self.line.recv(65536)
        size, self.rest = self.rest.split(b":", 1)
        while len(self.rest) < int(size):
            self.rest += self.line.recv(65536)
        message, self.rest = self.rest[:int(size)], self.rest[int(size):]
        return json.loads(message)

    def call(self, command, **params):
        self.number += 1
        message = json.dumps([0, self.number, command, params]).encode()
        self.line.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self.take()
        assert number == self.number
        if error:
            raise AssertionError("%s: %s %s" % (command, error["error"], error["message"]))
        return result

    def run(self, script):
        return self.call("WebDriver:ExecuteScript", script="return (%s);" % script, args=[], sandbox=None)["value"]

    def chrome(self, script, *args):
        self.call("Marionette:SetContext", value="chrome")
        try:
            return self.call("WebDriver:ExecuteScript", script=script, args=list(args))["value"]
        finally:
            self.call("Marionette:SetContext", value="content")

    def prefer(self, kind, name, value):
        self.chrome("Services.prefs.set%sPref(arguments[0], arguments[1]);" % kind, name, value)

    @property
    def troubles(self):
        return self.chrome(ERRORS, self.url)

    def go(self, url):
        self.call("WebDriver:Navigate", url=url)

    def act(self, actions):
        self.call("WebDriver:PerformActions", actions=[actions])

    def press(self, x, y):
        self.act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [
            {"type": "pointerMove", "x": int(x), "y": int(y)}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]})

    def key(self, name, times=1, modifiers=0):
        both = [{"type": "keyDown", "value": KEYS[name]}, {"type": "keyUp", "value": KEYS[name]}]
        self.act({"type": "key", "id": "keys", "actions": both * times})
        # behind the page's last element come the browser's own, where these keys do not go: round to the first
        if name == "Tab" and not self.run("document.hasFocus()"):
            self.run("(window.focus(), document.querySelector('a.skip, input').focus({ focusVisible: true }))")

    def type(self, text):
        element = self.call("WebDriver:GetActiveElement")["value"][ELEMENT]
        self.call("WebDriver:ElementSendKeys", id=element, text=text)

    def put(self, css, text):
        self.click(css)
        self.run("document.activeElement.value = ''")
        self.type(text)

    def picture(self):
        return self.call("WebDriver:TakeScreenshot", full=False)["value"]

    def give_file(self, css, path):
        element = self.call("WebDriver:FindElement", using="css selector", value=css)["value"][ELEMENT]
        self.call("WebDriver:ElementSendKeys", id=element, text=path)

    def media(self, kind, scheme):
        self.prefer("Int", "layout.css.prefers-color-scheme.content-override", 0 if scheme == "dark" else 1)

    def screen(self, width, height, language, is_phone, prefix):
        """Its windows are 500 wide at least."""
        self.prefix = "firefox-" + prefix
        self.prefer("Char", "intl.accept_languages", language)
        self.call("WebDriver:SetWindowRect", width=width, height=height)


def main():
    url, secret, work, pid = arguments()
    browser = Firefox(work)
    try:
        walk(FirefoxPage(browser, work, url), url, secret, work, pid)
    finally:
        browser.end()


main()
