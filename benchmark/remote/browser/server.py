"""Serves the page and what it asks for, and hands on what it says, to whoever has the token."""

import queue
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast

from benchmark.remote.browser.npm import PAGE
from train.common.errors import ToolkitError

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
HEADERS = {
    # a page that is isolated from others has a clock of 5 µs, another one of 100 µs
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self' data: blob:; script-src 'self' blob: "
    "'unsafe-eval'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# What of the packages is served, and where a file of theirs names another one as bundlers do.
PACKAGES = (
    *(
        "@litertjs/core/dist/index.js",
        "@litertjs/core/wasm/*",
        "@litertjs/wasm-utils/dist/index.js",
    ),
    *("onnxruntime-web/dist/*.mjs", "onnxruntime-web/dist/*.wasm"),
)
SPECIFIER = (b'"@litertjs/wasm-utils"', b'"../../wasm-utils/dist/index.js"')
READ_S = 60
ANSWER_S = 600
TOKEN_BYTES = 16


@dataclass(frozen=True)
class Message:
    """Something that the page says; `answer` takes what it is answered, or a refusal."""

    kind: str
    body: bytes
    answer: "Future[bytes]" = field(default_factory=Future)


class Server:
    """A server on one address; leaving the context ends it."""

    def __init__(self, packages: Path, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        """Takes the port.

        Args:
            packages: the folder `node_modules`.
            address: to listen on, port 0 for any that is free.

        Raises:
            ToolkitError: it cannot listen there.
        """
        host, port = address
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.files = page_files(packages)
        self.produce: Callable[[str], bytes | Path | None] = lambda _: None
        self.max_bytes = 1 << 20
        self.token = ""
        self.taken = False
        kind = _Server6 if ":" in host else _Server
        try:
            self._http = kind(address, _Handler)
        except OSError as error:
            raise ToolkitError(
                f"cannot listen on {host} port {port}: {error.strerror or error}; give another "
                "with --listen ADDRESS[:PORT]"
            ) from error
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def new_page(self, host: str) -> str:
        """Returns the address of the page under a new token; the one before is forgotten."""
        self.token, self.taken = secrets.token_urlsafe(TOKEN_BYTES), False
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self._http.server_address[1]}/{self.token}/"

    def forget_page(self) -> None:
        """Refuses what the page still says, and what it has said and waits for."""
        self.token = ""
        with suppress(queue.Empty):
            while True:
                self.messages.get_nowait().answer.set_exception(ToolkitError("the run is over"))

    def taken_by(self, kind: str) -> bool:
        """Returns whether another page said hello before; the first one takes the address."""
        if kind != "hello":
            return not self.taken
        taken, self.taken = self.taken, True
        return taken


def page_files(packages: Path) -> Mapping[str, Path]:
    """Returns the files that the page consists of, by the path that it asks for them."""
    found = {f"page/{path.relative_to(PAGE)}": path for path in PAGE.rglob("*.mjs")}
    found |= {f"page/{name}": PAGE / name for name in ("worker.js", "page.css")}
    for pattern in PACKAGES:
        found |= {f"packages/{path.relative_to(packages)}": path for path in packages.glob(pattern)}
    return {"": PAGE / "index.html", **found}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of connections that break."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = READ_S

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return None
        owner = cast(_Server, self.server).owner
        found: bytes | Path | None = owner.files.get(path)
        kept = found is not None and path.startswith("packages/")
        if found is None:
            try:
                found = owner.produce(path)
            except ToolkitError as error:
                return self._refuse(HTTPStatus.CONFLICT, str(error))
        if found is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "there is no such file")
        kind = KINDS.get(found.suffix if isinstance(found, Path) else "")
        content = found.read_bytes() if isinstance(found, Path) else found
        if path == "packages/@litertjs/core/dist/index.js":
            content = content.replace(*SPECIFIER)
        return self._send(content, kind or "application/octet-stream", kept=kept)

    def do_POST(self) -> None:
        path = self._path()
        if path is None:
            return None
        owner = cast(_Server, self.server).owner
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length")
        if len(length) > 12 or int(length) > owner.max_bytes:
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"got {length[:20]} bytes, expected at most {owner.max_bytes}",
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True  # cut off: nobody is left to answer
            return None
        place, _, kind = path.partition("/")
        if place != "say":
            return self._refuse(HTTPStatus.NOT_FOUND, "there is no such place")
        if owner.taken_by(kind):
            return self._refuse(
                HTTPStatus.CONFLICT,
                "another page has this address, expected one; run the command again for a new one",
            )
        message = Message(kind, body)
        owner.messages.put(message)
        try:
            return self._send(message.answer.result(ANSWER_S), "application/json")
        except (ToolkitError, TimeoutError) as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error) or "no answer")

    def _path(self) -> str | None:
        """Returns the path after the token; None, and a refusal, for another token or none."""
        _, token, *rest = f"{self.path.split('?')[0]}/".split("/", 2)
        expected = cast(_Server, self.server).owner.token
        if not expected or not secrets.compare_digest(token.encode(), expected.encode()):
            self._refuse(
                HTTPStatus.FORBIDDEN, "wrong token, expected the address as it was printed"
            )
            return None
        return (rest[0] if rest else "").rstrip("/")

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True  # what else it sends is not read
        self._send(why.encode(), "text/plain; charset=utf-8", status=status)

    def _send(
        self, content: bytes, kind: str, *, status: HTTPStatus = HTTPStatus.OK, kept: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "private, max-age=86400" if kept else "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002
        """Says nothing of requests."""
