"""A headless Chromium that tests drive over the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

_START = 60.0
_ANSWER = 60.0
_INTERVAL = 0.1
_TRIES = 5
_CHANGED = "net::ERR_NETWORK_CHANGED"


def find_chromium() -> str | None:
    """Return the program, or None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """A page of the browser.

    Attributes
    ----------
    faults : list of str
        Errors that the page logged, exceptions and refused requests among them.
    requested : list of str
        The addresses that the page asked for.
    network_changes : int
        How many requests the browser dropped since the page was opened because the machine's network changed.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, browser: _Browser) -> None:
        self._socket = socket
        self._browser = browser
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.faults: list[str] = []
        self.requested: list[str] = []
        self.network_changes = 0

    async def read(self) -> None:
        """Take what the browser sends, until it closes."""
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                self._answers.pop(data["id"]).set_result(data)
            else:
                self._note(data["method"], data["params"])

    def _note(self, method: str, told: Any) -> None:
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.faults.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            if _CHANGED in told["entry"]["text"]:
                self.network_changes += 1
            else:
                self.faults.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.faults.append(str([each.get("value") for each in told["args"]]))
        elif method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])

    async def send(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self._number += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async with asyncio.timeout(_ANSWER):
            found = await answer
        if "error" in found:
            raise RuntimeError(f"{method}: {found['error']}")
        return found["result"]

    async def open(self, link: str) -> None:
        """Open a page; again if the machine's network changed meanwhile, on which the browser drops its requests."""
        for _ in range(_TRIES):
            self.network_changes = 0
            await self.send("Page.navigate", url=link)
            await self.until("document.readyState === 'complete'")
            if not self.network_changes:
                return

    async def get(self, expression: str, world: int | None = None) -> Any:
        """Return the value of an expression in the page, or in a frame's `world`; a promise is awaited."""
        place = {} if world is None else {"contextId": world}
        found = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, **place
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    async def until(self, expression: str, timeout: float = 60.0, world: int | None = None) -> None:
        """Wait until an expression is true in the page, or in a frame's `world`."""
        try:
            async with asyncio.timeout(timeout):
                while not await self.get(expression, world):
                    await asyncio.sleep(_INTERVAL)
        except TimeoutError:
            raise AssertionError(f"{expression} is not true after {timeout:g} s; {self.faults}") from None

    async def press(self, key: str) -> None:
        """Press a key, such as ``Tab``."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39}
        for kind in ("keyDown", "keyUp"):
            text = "\r" if key == "Enter" and kind == "keyDown" else ""
            code = codes.get(key, 0)
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    async def size(self, width: int, height: int) -> None:
        """Set the size of the window."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    async def prefer(self, scheme: str) -> None:
        """Set the colours that the user prefers: ``light`` or ``dark``."""
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def world(self, part: str) -> int:
        """Return where expressions see the frame with this part in its address; one of the page's own site."""
        tree = (await self.send("Page.getFrameTree"))["frameTree"]
        frame = next(each["frame"]["id"] for each in tree["childFrames"] if part in each["frame"]["url"])
        found: int = (await self.send("Page.createIsolatedWorld", frameId=frame))["executionContextId"]
        return found

    @asynccontextmanager
    async def frame(self, part: str) -> AsyncIterator[Tab]:
        """Yield the frame with this part in its address; one of another site than the page's, which is kept apart."""
        async with asyncio.timeout(_ANSWER):
            while not (found := [each for each in await self._browser.targets("iframe") if part in each["url"]]):
                await asyncio.sleep(_INTERVAL)
        async with self._browser.attached(found[0]) as tab:
            yield tab

    async def screenshot(self, path: Path) -> None:
        """Write what the window shows to a file."""
        found = await self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


class _Browser:
    """The pages and frames of a browser that runs."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._port = port

    async def targets(self, kind: str) -> list[Any]:
        """Return pages, or frames that are kept apart from their pages."""
        async with self._session.get(f"http://127.0.0.1:{self._port}/json/list") as answer:
            return [each for each in await answer.json() if each["type"] == kind]

    @asynccontextmanager
    async def attached(self, target: Any) -> AsyncIterator[Tab]:
        """Yield the tab of a page or frame."""
        async with self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            tab = Tab(socket, self)
            reading = asyncio.create_task(tab.read())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await tab.send(f"{domain}.enable")
            yield tab
            reading.cancel()


@asynccontextmanager
async def chromium_tab() -> AsyncIterator[Tab]:
    """Start a browser and yield a tab of it."""
    program = find_chromium()
    assert program is not None, "there is no Chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                browser = _Browser(session, port)
                async with browser.attached((await browser.targets("page"))[0]) as tab:
                    yield tab
        finally:
            process.terminate()
            await process.wait()


async def _port(path: Path) -> int:
    async with asyncio.timeout(_START):
        while not path.exists() or not path.read_text().strip():
            await asyncio.sleep(_INTERVAL)
    return int(path.read_text().split()[0])
