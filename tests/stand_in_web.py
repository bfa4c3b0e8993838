"""A web server on this machine that serves a folder, with ranges or without, and breaks where a test says so."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class StandInWeb:
    """The server's state.

    Attributes:
        folder: what it serves.
        ranges: it sends parts.
        facts: it states an ETag.
        cut: file name → the connection is cut after this byte of the file.
        refused: file name → status of the answer.
        asked: 'METHOD path' of each request, with the range.
    """

    folder: Path
    url: str = ""
    ranges: bool = True
    facts: bool = True
    cut: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    web: StandInWeb
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        web, path = self.web, unquote(urlsplit(self.path).path)
        wanted = self.headers.get("Range", "")
        web.asked.append(f"{self.command} {path} {wanted}".strip())
        file = web.folder / path.lstrip("/")
        status = web.refused.get(file.name, 200 if file.is_file() else 404)
        if status != 200:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = file.read_bytes()
        start, stop = 0, len(data)
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted) if web.ranges else None
        if part:
            start, stop = int(part[1]), min(int(part[2]) + 1, len(data))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        else:
            self.send_response(200)
        if web.facts:
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if not body:
            return
        limit = web.cut.get(file.name, stop)
        self.wfile.write(data[start : max(start, min(stop, limit))])
        if limit < stop:
            self.close_connection = True


@contextmanager
def stand_in_web(folder: Path) -> Iterator[StandInWeb]:
    """Serve a folder until the block ends."""
    web = StandInWeb(folder)
    handler = type("Handler", (_Handler,), {"web": web})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
