"""A Hugging Face hub on this machine: the real client talks to it by HTTP.

It has the few answers of the real one that xmic asks for, without large files: repositories with one branch, downloads,
also of parts, commits of small files, and the folders of datasets.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from huggingface_hub import HfFileSystem

from data_manifests.remote import stores

TOKEN = "hf_of_the_stand_in"


@dataclass
class Repository:
    """Files by path."""

    files: dict[str, bytes] = field(default_factory=dict)
    private: bool = False

    @property
    def commit(self) -> str:
        """As git would name it: other content has another name."""
        told = "".join(f"{path} {hashlib.sha1(data).hexdigest()}\n" for path, data in sorted(self.files.items()))
        return hashlib.sha1(told.encode()).hexdigest()


@dataclass
class StandInHub:
    """The server's state.

    Attributes:
        repositories: by 'owner/repo', and 'datasets/owner/repo'.
        asked: 'METHOD path' of each request.
        commits: summaries, in order.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)

    def put(self, name: str, folder: Path, *, private: bool = False) -> Repository:
        """Make a repository of a folder's files."""
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.repositories[name] = Repository(files, private)
        return self.repositories[name]

    def downloads(self) -> list[str]:
        """The files that were downloaded."""
        return [line.removeprefix("GET ") for line in self.asked if line.startswith("GET ") and "/resolve/" in line]


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._read()

    def do_GET(self) -> None:
        self._read()

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"POST {path}")
        body = self._body()
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        found = re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/paths-info/(?:main|[0-9a-f]{40})", path)
        if found:
            repository = self.hub.repositories[found[1]]
            if repository.private and not self._allowed():
                return self._error(401, "RepoNotFound")
            wanted = parse_qs(body.decode())["paths"]
            return self._json([_entry(repository, name) for name in wanted if name in _names(repository)])
        if not self._allowed():
            return self._error(401, "")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            if name in self.hub.repositories:
                return self._json({"url": f"{self.hub.url}/{name}"}, 409)
            private = asked.get("private", False) or asked.get("visibility") == "private"
            self.hub.repositories[name] = Repository(private=private)
            return self._json({"url": f"{self.hub.url}/{name}"})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path)
        assert found is not None, path
        if found[2] == "preupload":
            files = json.loads(body)["files"]
            answers = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]
            return self._json({"files": answers})
        repository = self.hub.repositories[found[1]]
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "header":
                self.hub.commits.append(line["value"]["summary"])
            else:
                assert line["key"] == "file", line["key"]
                repository.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        url = f"{self.hub.url}/{found[1]}/commit/{repository.commit}"
        return self._json({"success": True, "commitOid": repository.commit, "commitUrl": url})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _read(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        name = "((?:datasets/)?[^/]+/[^/]+)"
        found = re.fullmatch(rf"/(?:api/(?:models/)?)?{name}(?:/(resolve|revision|tree)/([^/]+)(?:/(.*))?)?", path)
        repository = self.hub.repositories.get(found[1]) if found else None
        if found is None or repository is None or (repository.private and not self._allowed()):
            return self._error(404 if self._allowed() else 401, "RepoNotFound")
        if found[3] not in (None, "main", repository.commit):
            return self._error(404, "RevisionNotFound")
        if found[2] == "resolve":
            data = repository.files.get(found[4] or "")
            return self._error(404, "EntryNotFound") if data is None else self._file(data, repository.commit)
        if found[2] == "tree" and found[1].startswith("datasets/"):
            inside = f"{found[4]}/" if found[4] else ""
            names = [name for name in _names(repository) if name.startswith(inside)]
            here = [_entry(repository, name) for name in names if "/" not in name.removeprefix(inside)]
            return self._json(here) if here else self._error(404, "EntryNotFound")
        if found[2] == "tree":
            return self._json([_entry(repository, name) for name in repository.files])
        siblings = [{"rfilename": name} for name in repository.files]
        return self._json({"id": found[1], "sha": repository.commit, "siblings": siblings, "private": False})

    def _file(self, data: bytes, commit: str) -> None:
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.send_response(206 if part else 200)
        if part:
            first, last = int(part[1]), min(int(part[2]), len(data) - 1)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            data = data[first : last + 1]
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self._end(data)

    def _json(self, value: Any, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self._end(json.dumps(value).encode())

    def _error(self, code: int, kind: str) -> None:
        self.send_response(code)
        if kind:
            self.send_header("X-Error-Code", kind)
        self._end(b"{}")

    def _end(self, data: bytes) -> None:
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _names(repository: Repository) -> list[str]:
    """All files and folders."""
    folders = {str(folder) for path in repository.files for folder in list(PurePosixPath(path).parents)[:-1]}
    return sorted({*repository.files, *folders})


def _entry(repository: Repository, name: str) -> dict[str, Any]:
    data = repository.files.get(name)
    if data is None:
        return {"type": "directory", "path": name, "oid": hashlib.sha1(name.encode()).hexdigest()}
    return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}


@contextmanager
def stand_in_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    """Serve a hub and point the client at it, with an empty cache and no token."""
    hub = StandInHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    point_at(hub.url, cache, monkeypatch)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_at(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the client at a hub; the cache is a folder of its own."""
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.ENDPOINT", url)
    monkeypatch.setenv("HF_ENDPOINT", url)  # for child processes
    files = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", files)
    # The oldest client that is allowed has a copy of it where files are fetched.
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", files, raising=False)
    monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(f"{constants}.HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(f"{constants}.HF_HUB_OFFLINE", False)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    HfFileSystem.clear_instance_cache()  # one that was made before knows another hub
    monkeypatch.delitem(stores._stores, "hf", raising=False)
