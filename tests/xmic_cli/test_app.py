from __future__ import annotations

import inspect
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer

from tests.data_manifests.epic_files import write_epic
from xmic_cli import app

_Capture = pytest.CaptureFixture[str]
_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def prepare_epic(tmp_path: Path) -> list[str]:
    """A command line that works."""
    return ["prepare", "epic", "--annotations", str(write_epic(tmp_path / "csv")), "-w", str(tmp_path / "work")]


def _break_prepare(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    def broken(*_: Any, **__: Any) -> object:
        return what()

    monkeypatch.setattr("pipelines.prepare.stage.prepare", broken)


def test_0_is_done(prepare_epic: list[str], capsys: _Capture) -> None:
    assert app.run(prepare_epic) == 0
    assert "epic val: 1 clips of 1 videos" in capsys.readouterr().out
    assert app.run(["--help"]) == 0
    assert app.run(["prepare", "epic", "-h"]) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--nope"], "No such option: --nope"),
        (["prepare", "epic", "--nope"], "No such option: --nope"),
        (["prepair"], "No such command 'prepair'"),
        (["prepare", "epix"], "No such command 'epix'"),
        (["prepare", "epic"], "--annotations"),
        (["prepare", "epic", "--annotations", "x", "--limit", "0"], "--limit"),
        (["prepare", "epic", "--annotations", "x", "--limit", "many"], "--limit"),
        (["prepare", "epic", "--annotations", "x", "y"], "unexpected extra argument"),
        (["prepare", "table", "a.csv"], "--name"),
        (["prepare", "table", "dev=a.csv", "--name", "x"], "error: split 'dev': expected train, val (or validation)"),
        ([], "Usage: xmic"),
        (["prepare"], "Usage: xmic prepare"),
    ],
)
def test_2_is_a_wrong_call_and_says_what_is_wrong_without_a_traceback(
    capsys: _Capture, arguments: list[str], text: str
) -> None:
    assert app.run(arguments) == 2
    output = capsys.readouterr()
    assert text in output.err + output.out
    assert "Traceback" not in output.err
    assert "bug" not in output.err


def test_3_is_bad_input(tmp_path: Path, capsys: _Capture) -> None:
    assert app.run(["prepare", "epic", "--annotations", str(tmp_path / "no"), "-w", str(tmp_path)]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"error: --annotations {tmp_path / 'no'}: no such folder.")


def test_3_is_also_a_disk_that_refuses(tmp_path: Path, prepare_epic: list[str], capsys: _Capture) -> None:
    (tmp_path / "work").write_text("a file where the workspace is to be")
    assert app.run(prepare_epic) == 3
    assert "error: " in capsys.readouterr().err


def test_4_is_too_many_failures(prepare_epic: list[str], monkeypatch: pytest.MonkeyPatch, capsys: _Capture) -> None:
    from data_manifests.errors import TooManyFailures

    def fail() -> NoReturn:
        raise TooManyFailures("decode: 3 of 3 rows failed")

    _break_prepare(monkeypatch, fail)
    assert app.run(prepare_epic) == 4
    assert capsys.readouterr().err == "error: decode: 3 of 3 rows failed\n"


def test_5_is_a_missing_upstream_artifact_and_names_the_command_that_makes_it(tmp_path: Path, capsys: _Capture) -> None:
    assert app.run(["decode", "-w", str(tmp_path / "work")]) == 5
    assert capsys.readouterr() == (
        "",
        f"error: {tmp_path / 'work'}: no dataset is prepared in this workspace. Run xmic prepare first "
        "(xmic prepare --help), or name another workspace with -w.\n",
    )


def test_1_is_a_bug_with_its_traceback(
    prepare_epic: list[str], monkeypatch: pytest.MonkeyPatch, capsys: _Capture
) -> None:
    _break_prepare(monkeypatch, lambda: dict[str, int]()["no such key"])
    assert app.run(prepare_epic) == 1
    text = capsys.readouterr().err
    assert "Traceback (most recent call last):" in text
    assert "KeyError: 'no such key'" in text
    assert text.endswith("error: this is a bug in xmic; the lines above say where. What was finished is kept.\n")


@pytest.fixture
def _ctrl_c_counts() -> Iterator[None]:
    """A shell starts a background job with SIGINT ignored, and so would these tests be."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_counts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_130_is_an_interruption_that_says_how_to_go_on(
    prepare_epic: list[str], monkeypatch: pytest.MonkeyPatch, capsys: _Capture, number: signal.Signals
) -> None:
    _break_prepare(monkeypatch, lambda: os.kill(os.getpid(), number))
    assert app.run(prepare_epic) == 130
    text = "interrupted: everything finished so far is kept; the same command goes on from there.\n"
    assert capsys.readouterr().err.endswith(text)


def test_the_console_script_exits_with_the_code(monkeypatch: pytest.MonkeyPatch, capsys: _Capture) -> None:
    monkeypatch.setattr(sys, "argv", ["xmic", "--nope"])
    with pytest.raises(SystemExit) as error:
        app.main()
    assert error.value.code == 2
    assert "No such option: --nope" in capsys.readouterr().err


def test_python_m_xmic_cli_is_xmic() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xmic_cli", "--version"], cwd=_REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"xmic {version('xmic')}\n"


def test_the_version_is_that_of_the_package(capsys: _Capture) -> None:
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"xmic {version('xmic')}\n"


@pytest.mark.parametrize("where", ["before", "after", "variable", "default", "after wins", "before wins"])
def test_the_workspace_is_named_after_the_command_before_it_by_the_environment_or_is_xmic_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XMIC_WORKSPACE", raising=False)
    command = ["prepare", "epic", "--annotations", str(write_epic(tmp_path / "csv"))]
    arguments, folder = {
        "before": (["-w", "one", *command], "one"),
        "after": ([*command, "--workspace", "one"], "one"),
        "variable": (command, "two"),
        "default": (command, "xmic-work"),
        "after wins": (["-w", "one", *command, "-w", "three"], "three"),
        "before wins": (["-w", "one", *command], "one"),
    }[where]
    if where in ("variable", "before wins"):
        monkeypatch.setenv("XMIC_WORKSPACE", "two")
    assert app.run(arguments) == 0
    assert [path.parent.name for path in tmp_path.rglob("workspace.toml")] == [folder]


_HEAVY = ["torch", "pyarrow", "cv2", "av", "numpy", "pydantic", "ultralytics", "open_clip", "timm"]
_LATE = ["importlib.metadata", "email", "zipfile", "json", "tomllib"]
"""Modules that a command imports when it needs them; the help needs none."""
_MOST_MODULES = 447  # 389 when measured, and 15 % more


def _imported_by(code: str, before: str = "pass") -> tuple[list[str], int, str]:
    """Heavy and late modules, number of modules and stdout of a fresh interpreter that ran ``code``.

    What ``before`` has imported is not listed.
    """
    watched = f"[name for name in {_HEAVY + _LATE!r} if name in sys.modules]"
    start = f"import sys; {before}; there = {watched}; from xmic_cli.app import app, run; "
    after = f"; print(*[name for name in {watched} if name not in there], len(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{start}{code}{after}"],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    *found, modules = done.stderr.splitlines()[-1].split()
    return found, int(modules), done.stdout


def test_help_imports_nothing_heavy_or_late_and_little_at_all() -> None:
    found, modules, output = _imported_by("assert run(['--help']) == 0", before="import typer, typer.rich_utils")
    assert found == []
    assert modules <= _MOST_MODULES
    assert "xmic" in output


def test_the_version_imports_nothing_heavy() -> None:
    found, modules, output = _imported_by("assert run(['--version']) == 0")
    assert set(found) <= set(_LATE)
    assert modules <= _MOST_MODULES
    assert output == f"xmic {version('xmic')}\n"


def test_the_help_of_no_command_imports_what_the_command_needs() -> None:
    code = (
        "names = [[item.name] for item in app.registered_commands] + [['prepare', 'epic'], ['prepare', 'table']]; "
        "assert len(names) > 2; assert not any(run([*name, '--help']) for name in names)"
    )
    found, _, output = _imported_by(code)
    assert set(found) <= {"pydantic", *_LATE}  # newer typers check the values of options with it
    assert "Usage: xmic prepare epic" in output


def test_shell_completion_offers_the_commands() -> None:
    asked = {**os.environ, "_XMIC_COMPLETE": "complete_bash", "COMP_WORDS": "xmic de", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['xmic']; from xmic_cli.app import main; main()"
    found = subprocess.run([sys.executable, "-c", code], env=asked, cwd=_REPOSITORY, capture_output=True, text=True)
    assert sorted(found.stdout.split()) == ["decode", "demo", "detect-hands"], found.stderr


@pytest.mark.parametrize("command", [["evaluate"], ["hands", "train"], ["prepare", "ego4d"]])
def test_paragraphs_of_help_fill_the_terminal(
    command: list[str], capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run([*command, "--help"]) == 0
    described = capsys.readouterr().out.split("\u256d")[0].split("Usage:")[1]
    paragraphs = [part.splitlines() for part in re.split(r"\n\s*\n", described)[1:]]
    lines = [(line.rstrip(), after.split()[0]) for lines in paragraphs for line, after in pairwise(lines)]
    assert len(lines) > 1
    for line, next_word in lines:
        assert len(line) + 1 + len(next_word) > 77, line


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in _commands(typer.main.get_command(app.app))], ids=" ".join)
def test_help_shows_every_text_as_it_was_written(
    path: tuple[str, ...], capsys: _Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in brackets is taken for a colour, nothing between colons for a picture."""
    monkeypatch.setenv("COLUMNS", "2000")  # no text is broken into lines
    assert app.run([*path, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    command = dict(_commands(typer.main.get_command(app.app)))[path]
    documented = inspect.getdoc(command.callback) if path and command.callback else command.help
    texts = [*(documented or "").split("\n\n"), *(getattr(item, "help", None) or "" for item in command.params)]
    for text in texts:
        assert " ".join(text.split()) in shown
