"""A watch over everything a page does that it never may, in any test: `Watch.findings` must stay empty."""

from typing import Final
from urllib.parse import urlsplit

from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    WebError,
    WebSocket,
)

__all__ = ["Watch"]

_TELL_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy violated: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class Watch:
    """Sees requests to other origins, violations of the policy, errors, dialogs and crashes of a context."""

    def __init__(self, *origins: str) -> None:
        self._hosts = {urlsplit(origin).netloc for origin in origins}
        self._allowed: list[str] = []
        self.findings: list[str] = []
        self.addresses: list[str] = []
        """Every address that was asked for, with its Referer if it had one."""

    async def over(self, context: BrowserContext) -> None:
        """Begin to watch a context, before its first page."""
        context.on("request", self._see_request)
        context.on("console", self._see_console)
        context.on("weberror", self._see_error)
        context.on("dialog", self._see_dialog)
        context.on("page", self._see_page)
        for page in context.pages:
            self._see_page(page)
        await context.add_init_script(_TELL_VIOLATIONS)

    def allow(self, part: str) -> None:
        """Expect findings that hold these words: what the test itself provokes."""
        self._allowed.append(part)
        self.findings = [finding for finding in self.findings if part not in finding]

    def _find(self, finding: str) -> None:
        if not any(part in finding for part in self._allowed):
            self.findings.append(finding)

    def _see_request(self, request: Request) -> None:
        self.addresses.append(request.url)
        referrer = request.headers.get("referer")
        if referrer:
            self._find(f"a referrer was sent: {referrer}")
        self._see_address(request.url)

    def _see_address(self, url: str) -> None:
        parts = urlsplit(url.removeprefix("blob:"))
        if parts.netloc not in self._hosts:
            self._find(f"another origin was asked: {url[:200]}")

    def _see_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._find(f"console {message.type}: {message.text}")

    def _see_error(self, error: WebError) -> None:
        self._find(f"page error: {error.error}")

    async def _see_dialog(self, dialog: Dialog) -> None:
        self._find(f"a dialog opened: {dialog.type} {dialog.message}")
        await dialog.dismiss()

    def _see_page(self, page: Page) -> None:
        page.on("websocket", self._see_websocket)
        page.on("crash", lambda _: self._find("a page crashed"))

    def _see_websocket(self, websocket: WebSocket) -> None:
        self.addresses.append(websocket.url)
        self._see_address(websocket.url)
