from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.doctor import file_system
from pipelines.doctor.checks import examine
from pipelines.doctor.file_system import PROMISES, Broken, Promise, examine_file_system, kind_of_file_system


def found_in(place: Path, timeout_s: float = 60) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in examine_file_system(place, timeout_s)["promises"]}


def test_every_promise_is_tried_and_nothing_is_left(tmp_path: Path) -> None:
    found = found_in(tmp_path / "not" / "there")
    assert list(found) == [promise.name for promise in PROMISES]
    assert {name for name, item in found.items() if item["needed"] and not item["holds"]} == set()
    assert list(tmp_path.iterdir()) == []


def test_the_kind_of_the_file_system_is_that_of_the_mount(tmp_path: Path) -> None:
    if not Path("/proc/self/mountinfo").is_file():
        pytest.skip("this system does not say")
    assert kind_of_file_system(Path("/proc/self")) == "proc"
    assert kind_of_file_system(tmp_path) not in (None, "proc")


def _swapped(name: str, broken: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(Path if hasattr(Path, name) else os, name, broken)


def _truncates(source: Path, target: Path) -> Path:
    """Rename as an object store does it: by copying, not at once."""
    content = source.read_bytes()
    with target.open("wb") as file:
        file.write(content[:1000])
        file.flush()
        time.sleep(0.005)
        file.write(content[1000:])
    source.unlink()
    return target


def _removes_first(source: Path, target: Path) -> Path:
    target.unlink(missing_ok=True)
    time.sleep(0.005)
    return source.rename(target)


def _refuses(*_: Any, **__: Any) -> None:
    raise OSError(95, "Operation not supported")


@pytest.mark.parametrize(
    ("name", "function", "broken", "said"),
    [
        ("whole", "replace", _truncates, "a reader saw|mixture"),
        ("whole", "replace", _removes_first, "there was no file"),
        ("open", "replace", _truncates, "other content"),
        ("replace", "replace", _refuses, "Operation not supported"),
        ("fsync", "fsync", _refuses, "Operation not supported"),
        ("clock", "utime", lambda *_, **__: None, ""),
        ("symlink", "symlink_to", _refuses, "Operation not supported"),
        ("hard-link", "hardlink_to", _refuses, "Operation not supported"),
        ("times", "utime", lambda path, *_, ns=None, **__: os.truncate(path, 0), "off"),
        ("case", "exists", lambda _: True, "one file"),
    ],
)
def test_a_promise_that_is_not_kept_is_found_out(
    name: str, function: str, broken: Callable[..., Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = next(item for item in PROMISES if item.name == name)
    _swapped(function, broken)(monkeypatch)
    if name == "clock":  # the folder's server is an hour behind
        monkeypatch.setattr(file_system.time, "time", lambda: 3600 + tmp_path.stat().st_mtime)
        said = "off this machine's clock"
    (tmp_path / "folder").mkdir()
    with pytest.raises((Broken, OSError), match=said):
        promise.attempt(tmp_path / "folder")


@pytest.mark.parametrize("said", ["taken", "refused"])
def test_a_lock_that_keeps_nobody_out_or_is_never_given_back_is_found_out(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_system, "_TAKE", f"print({said!r}, flush=True)\nimport time; time.sleep(600)")
    with pytest.raises(Broken, match="two processes hold" if said == "taken" else "still held"):
        file_system._flock(tmp_path)


def test_a_file_system_that_hangs_is_named_with_the_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "hanging.py"
    script.write_text(
        'import json, time\nprint(json.dumps({"name": "replace", "holds": True, "found": ""}), flush=True)\n'
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(file_system, "__file__", str(script))
    found = found_in(tmp_path, timeout_s=12)
    assert [found[name]["holds"] for name in ("replace", "whole", "open")] == [True, False, None]
    assert found["whole"]["found"] == "did not finish in 12 s"


def test_a_place_that_cannot_be_written_is_an_error_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "refused.py"
    script.write_text("raise PermissionError(13, 'Permission denied')\n")
    monkeypatch.setattr(file_system, "__file__", str(script))
    result = examine_file_system(tmp_path, 60)
    assert result["error"] == f"{tmp_path}: nothing could be tried (PermissionError: [Errno 13] Permission denied)"


@pytest.mark.parametrize(("needed", "ok"), [(True, False), (False, True)])
def test_doctor_fails_for_a_broken_promise_that_xmic_needs(
    needed: bool, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = {"name": "x", "what": "x", "needed": needed, "holds": False, "found": "no"}
    monkeypatch.setattr(file_system, "examine_file_system", lambda *_: {"promises": [promise]})
    result = examine(tmp_path, (), ())
    assert result["ok"] is ok
    assert result["file_system"]["promises"] == [promise]


def test_a_promise_has_a_name_of_its_own() -> None:
    assert len({promise.name for promise in PROMISES}) == len(PROMISES)
    assert all(isinstance(promise, Promise) for promise in PROMISES)
