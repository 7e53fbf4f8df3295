"""A real Chromium, driven through its debugging pipe: no driver, no port, nothing to install but the browser."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


class Navigated(Exception):
    """The page went away while it was asked something."""


class Chromium:
    """One browser with one page. ``problems`` are the errors and refusals that its pages have told of."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        theirs_in, self._out = os.pipe()
        inside, theirs_out = os.pipe()

        def connect() -> None:  # the browser reads commands from 3 and writes to 4
            high_in, high_out = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=connect,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._in = os.fdopen(inside, "rb")
        self._rest = b""
        self._number = 0
        self._session = ""
        self.problems: list[str] = []
        self.requests: list[str] = []
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (reply := self._read()).get("id") != self._number:
            self._note(reply)
        if "navigated" in reply.get("error", {}).get("message", ""):
            raise Navigated
        assert "error" not in reply, reply
        return dict(reply["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = self._in.read1(1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        one, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(one))

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded":
                self.problems.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled":
                self.problems.append(str(params["args"]))
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])

    def open(self, url: str) -> None:
        """Load a page; returns when its scripts have run."""
        self.problems.clear()
        self.requests.clear()
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, condition: str, seconds: float = 20) -> None:
        """Wait until a JavaScript condition holds, in this page or in one that it leads to."""
        look = (
            f"new Promise((done) => {{ const end = performance.now() + {seconds * 1000}; const look = () => {{"
            f" if ({condition}) done(true); else if (performance.now() > end) done(false);"
            " else setTimeout(look, 20); }; look(); })"
        )
        for _ in range(5):
            try:
                assert self.run(look), f"this did not come to hold: {condition}"
                return
            except Navigated:
                continue
        raise AssertionError(f"the page goes elsewhere again and again: {condition}")

    def press(self, *keys: str) -> None:
        """Press keys: ``j``, ``/``, ``Enter``."""
        codes = {"Enter": 13, "Escape": 27}
        for key in keys:
            text = {} if key == "Escape" else {"text": "\r" if key == "Enter" else key}
            common = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
            self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def look(self, *, width: int = 1360, height: int = 900, dark: bool = False) -> None:
        """The size of the window, and light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, file: Path) -> None:
        """A PNG of what is in sight."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the browser and wait for it."""
        self._session = ""
        self.call("Browser.close")
        self._process.wait(20)
        self._in.close()
        os.close(self._out)
