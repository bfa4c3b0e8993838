from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from xmic_cli import console, starting
from xmic_cli.starting import starting_note


def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which nothing was printed yet."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(starting, "AFTER_S", 0.02)
    console.SHOWN.clear()


@pytest.mark.parametrize(("importing", "line"), [(True, "loading torch …\n"), (False, "starting …\n")])
def test_a_silent_start_says_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], importing: bool, line: str
) -> None:
    silent(monkeypatch)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__spec__=SimpleNamespace(_initializing=importing)))
    with starting_note():
        time.sleep(0.2)
    assert capsys.readouterr() == ("", line)


def test_a_command_that_has_printed_something_says_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silent(monkeypatch)
    with starting_note():
        console.note("reading")
        time.sleep(0.2)
    assert capsys.readouterr().err == "reading\n"


def test_a_log_has_no_such_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    silent(monkeypatch)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with starting_note():
        time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_an_error_leaves_no_bar_on_a_real_terminal() -> None:
    script = (
        "import sys, time\nfrom data_manifests.errors import InputError\nfrom xmic_cli import console\n"
        "from xmic_cli.errors import exit_code_of\n"
        "def call():\n    bar = console.progress()\n    bar.start('decode', 4, 'frames')\n    bar.advance()\n"
        "    time.sleep(1.5)\n    raise InputError('broken')\n"
        "sys.exit(exit_code_of(call))\n"
    )
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    written = b""
    while process.poll() is None or select.select([leader], [], [], 0.2)[0]:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                written += os.read(leader, 65536)
            except OSError:
                break
    os.close(leader)
    text = written.decode()
    assert process.wait() == 3
    assert "1/4 frames" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor was hidden and is back"
    assert re.search(r"\x1b\[\?25h[^━─]*error: broken", text, re.DOTALL)
