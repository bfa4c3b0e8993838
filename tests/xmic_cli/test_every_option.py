"""All options of all stages: what the command line refuses, xmic.toml refuses too, and each key is an option."""

from __future__ import annotations

import inspect
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from data_manifests.errors import InputError
from pipelines.chain.config import DATASETS, OLD_KEYS, TABLES, check_config, keys_of
from pipelines.chain.slurm import SlurmOptions
from pipelines.embed.options import ImportFeaturesOptions
from pipelines.engine.command_lines import command_line
from pipelines.engine.options import Argument, CommandOnly, FileOnly, Option, Options, options_of
from pipelines.evaluate.options import ScoreOptions
from xmic_cli.app import app, run
from xmic_cli.options import StageOptions

_COMMANDS = {
    "decode": "decode",
    "hands": "detect-hands",
    "embed": "embed",
    "train": "train",
    "evaluate": "evaluate",
    "report": "report",
    **{f"dataset {reader}": f"prepare {reader}" for reader in DATASETS},
}
"""Table of xmic.toml → its command."""

_CALLS: dict[str, type] = {
    "score": ScoreOptions,
    "import-features": ImportFeaturesOptions,
    "slurm": SlurmOptions,
}
"""Command without a table in xmic.toml → its options."""

_CALL_ONLY = {
    "score": {"workspace", "break_lock", "json"},
    "import-features": {item.name for item in fields(StageOptions)},
    "slurm": {"file", "workspace", "json"},
}
"""Command of :data:`_CALLS` → the options that say how it is called."""

_NEEDED: dict[str, dict[str, Any]] = {
    "embed": {"encoder": "x:y"},
    "dataset epic": {"annotations": "x"},
    "dataset ego4d": {"annotations": "x"},
    "dataset egtea": {"annotations": "x"},
    "dataset table": {"files": ["val=x.csv"], "name": "x"},
    "dataset own": {"reader": "a.b:C", "name": "x"},
    "score": {"files": ["x.csv"], "dataset": "x", "name": "x"},
    "import-features": {"dataset": "x", "name": "x", "split": "val", "vectors": "x.npz"},
    "slurm": {"out": "x"},
}


def _kind(table: str) -> type:
    """The options of a table, or of a command of _CALLS."""
    if table in _CALLS:
        return _CALLS[table]
    word, _, reader = table.partition(" ")
    return DATASETS[reader] if reader else TABLES[word]


def _taken(table: str) -> dict[str, Option]:
    return {option.name: option for option in options_of(_kind(table))}


def _wrong_values(option: Option) -> Iterator[Any]:
    least, above, most, below = option.bounds
    if option.choices:
        yield "nonsense"
    if option.kind is float:
        yield float("nan")
    yield from (value for value in (above, below) if value is not None)
    yield from [least - 1] if least is not None else []
    yield from [most + 1] if most is not None else []


_WRONG = [
    pytest.param(table, option, value, id=f"{table} {option.name} {value}")
    for table in (*_COMMANDS, *_CALLS)
    for option in _taken(table).values()
    for value in _wrong_values(option)
]


def _as_toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_as_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _config(folder: Path, table: str, keys: dict[str, Any]) -> Path:
    """A file that is right but for the keys."""
    word, _, reader = table.partition(" ")
    keys = {**_NEEDED.get(table, {}), **keys}
    if reader and reader != "own":
        keys["reader"] = reader
    lines = "\n".join(f"{name} = {_as_toml(value)}" for name, value in keys.items())
    head = f"[[{word}]]" if word in ("dataset", "train") else f"[{word}]"
    text = f"{head}\n{lines}\n"
    if word != "dataset":
        text += '[[dataset]]\nname = "x"\nreader = "table"\nfiles = ["val=x.csv"]\n'
    if word != "embed":
        text += '[embed]\nencoder = "x:y"\n'
    file = folder / "xmic.toml"
    file.write_text(text)
    return file


def _command_line(table: str, option: Option, value: Any) -> list[str]:
    given: list[str] = []
    for name, needed in {**_NEEDED.get(table, {}), option.name: value}.items():
        one = _taken(table)[name]
        words = [str(item) for item in (needed if isinstance(needed, list) else [needed])]
        given += words if one.mark(Argument) else [part for word in words for part in (one.flag, word)]
    return [*_COMMANDS.get(table, table).split(), *given]


def test_there_are_options_to_walk() -> None:
    assert len(_WRONG) > 40
    assert {param.values[0] for param in _WRONG} >= {
        *("decode", "hands", "embed", "train", "evaluate", "import-features"),
        *(f"dataset {reader}" for reader in DATASETS),
    }


@pytest.mark.parametrize(
    ("table", "option", "value"), [param for param in _WRONG if not param.values[1].mark(FileOnly)]
)
def test_the_command_line_refuses_it_and_names_the_option(
    table: str, option: Option, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*_command_line(table, option, value), "-w", str(tmp_path / "work")]) == 2
    assert option.flag in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("table", "option", "value"),
    [param for param in _WRONG if param.values[0] in _COMMANDS and not param.values[1].mark(CommandOnly)],
)
def test_the_file_refuses_it_and_names_file_table_key_and_what_was_found(
    table: str, option: Option, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _config(tmp_path, table, {option.name: value})
    assert run(["run", str(file), "--dry-run"]) == 3
    word = table.partition(" ")[0]
    place = f"{word}.0" if word in ("dataset", "train") else word
    error = capsys.readouterr().err
    assert f"{file}: {place}.{option.name}: " in error
    assert f"found {value!r}" in error
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("table", _COMMANDS)
def test_the_file_that_the_wrong_values_are_put_into_is_right_without_them(table: str, tmp_path: Path) -> None:
    file = _config(tmp_path, table, {})
    check_config(tomllib.loads(file.read_text()), file)


def _command(name: str) -> Any:
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    return command


def _options_of_command(name: str) -> set[str]:
    return {item.name for item in _command(name).params}


def _as_typed(table: str) -> dict[str, Any]:
    """The values of a command line with nothing but what it needs."""
    words = []
    for name, value in _NEEDED.get(table, {}).items():
        option = _taken(table)[name]
        texts = value if isinstance(value, list) else [value]
        words += texts if option.mark(Argument) else [part for text in texts for part in (option.flag, text)]
    command = _command(_COMMANDS[table])
    return command.make_context(command.name, words, resilient_parsing=False).params


def _plain(value: Any) -> Any:
    """A value as the command line and the file both give it: no path, no empty list."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] or None
    return (str(value) if isinstance(value, Path) else value) or None


@pytest.mark.parametrize("table", _COMMANDS)
def test_a_key_or_section_that_is_absent_means_the_default_of_the_command_line(table: str, tmp_path: Path) -> None:
    word, _, reader = table.partition(" ")
    keys = {**_NEEDED.get(table, {}), **({"reader": reader} if reader and reader != "own" else {})}
    raw: dict[str, Any] = {
        "dataset": [{"name": "x", "reader": "table", "files": ["val=x.csv"]}],
        "embed": {"encoder": "x:y"},
    }
    raw |= {word: [keys] if word in ("dataset", "train") else keys} if keys or word == "train" else {}
    config = check_config(raw, Path("xmic.toml"))
    found = getattr(config, word)
    section = found[0] if isinstance(found, list) else found
    typed = _as_typed(table)
    assert len(typed) > 1
    for name, option in _taken(table).items():
        if option.mark(FileOnly) or name in keys:
            continue
        assert _plain(getattr(section, name)) == _plain(typed[name]), name
    if word == "hands":
        assert config.hands_of("x") == found


@pytest.mark.parametrize("table", _COMMANDS)
def test_every_key_is_the_option_of_its_name_or_says_why_not(table: str) -> None:
    options = _options_of_command(_COMMANDS[table])
    for name, option in _taken(table).items():
        if option.mark(FileOnly):
            continue
        assert name in options
    only = {name: option.mark(FileOnly) for name, option in _taken(table).items() if name not in options}
    assert all(mark and mark.why for mark in only.values())
    assert set(only) <= {"embed": {"v2"}}.get(table, {"reader", "hands"})


@pytest.mark.parametrize("command", _CALLS)
def test_every_option_of_a_command_without_a_table_is_a_field_or_of_the_call(command: str) -> None:
    assert _options_of_command(command) == {*_taken(command), *_CALL_ONLY[command]}


@pytest.mark.parametrize("command", _CALLS)
def test_a_command_line_in_a_message_is_read_back_as_its_options(command: str) -> None:
    options = _filled(command)
    _, name, *words = shlex.split(command_line(command, options))
    read = typer.main.get_command(app).commands[name].make_context(name, words).params  # type: ignore[attr-defined]
    for option in options_of(type(options)):
        value = read[option.name]
        assert (tuple(value) if option.several else value) == getattr(options, option.name)


def _filled(command: str) -> Options:
    """Options of a command without one default."""
    texts = {"text": ("noun=my nouns.npz",), "stream": "hand", "time": "1-12"}
    values = {option.name: texts.get(option.name) or _some(option) for option in _taken(command).values()}
    options = _kind(command)(**values)
    assert all(getattr(options, option.name) != option.default for option in _taken(command).values())
    return options


def _some(option: Option) -> Any:
    one = {Path: Path("my file.csv"), float: 2.5, int: 3, bool: True, str: "my words"}[option.kind]
    return (one,) if option.several else one


@pytest.mark.parametrize("table", _COMMANDS)
def test_an_option_of_the_command_alone_is_refused_in_the_file_with_the_reason(table: str, tmp_path: Path) -> None:
    for name, option in _taken(table).items():
        mark = option.mark(CommandOnly)
        if mark is None:
            continue
        assert name not in keys_of(_kind(table))
        file = _config(tmp_path, table, {name: "x"})
        with pytest.raises(InputError, match=rf"\.{name}: an option of the command line only, because {mark.why[:9]}"):
            check_config(tomllib.loads(file.read_text()), file)


def test_the_old_names_of_keys_are_still_read_but_not_beside_the_new(tmp_path: Path) -> None:
    table = {"name": "x", "reader": "epic", "annotations": "x", "splits": ["val"], "patterns": ["{video_id}.mp4"]}
    other = {"name": "y", "reader": "table", "files": ["val=x.csv"], "columns": {"video": "clip"}}
    raw: dict[str, Any] = {"dataset": [table, other], "embed": {"encoder": "x:y"}}
    epic, mine = check_config(raw, tmp_path / "xmic.toml").dataset
    assert (epic.split, epic.pattern, mine.column) == (("val",), ("{video_id}.mp4",), {"video": "clip"})  # type: ignore[union-attr]
    for old, new in OLD_KEYS.items():
        twice = {**raw, "dataset": [{**table, old: [], new: []}]}
        with pytest.raises(InputError, match=rf"dataset\.0\.{old} is another name of {new}; leave one"):
            check_config(twice, tmp_path / "xmic.toml")


def _bounded() -> Iterator[Any]:
    """Every option of every command that Typer itself keeps within bounds, with a value outside."""

    def of(commands: typer.Typer, path: tuple[str, ...]) -> Iterator[Any]:
        for command in commands.registered_commands:
            assert command.callback is not None
            for item in inspect.signature(command.callback, eval_str=True).parameters.values():
                info = next(
                    (mark for mark in getattr(item.annotation, "__metadata__", ()) if hasattr(mark, "min")), None
                )
                if info is None:
                    continue
                flag = next(iter(info.param_decls or ()), f"--{item.name.replace('_', '-')}")
                for value in (info.min is not None and info.min - 1, info.max is not None and info.max + 1):
                    if value is not False:
                        yield pytest.param((*path, command.name), flag, value, id=f"{command.name} {flag} {value}")
        for group in commands.registered_groups:
            assert group.typer_instance is not None
            yield from of(group.typer_instance, (*path, str(group.name)))

    return of(app, ())


@pytest.mark.parametrize(("command", "flag", "value"), list(_bounded()))
def test_every_bound_of_every_command_is_kept(
    command: tuple[str, ...], flag: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, flag, str(value)]) == 2
    assert flag in capsys.readouterr().err


def _of_every_command() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option of every command."""

    def of(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield from ((path, item) for item in command.params if item.param_type_name == "option")
        for name, child in getattr(command, "commands", {}).items():
            yield from of(child, (*path, name))

    return of(typer.main.get_command(app), ())


_OF_ONE_VALUE = [(path, item) for path, item in _of_every_command() if not item.is_flag and not item.multiple]


def test_the_options_of_one_value_are_walked() -> None:
    assert len(_OF_ONE_VALUE) > 150
    assert {path[0] for path, _ in _OF_ONE_VALUE if path} >= {*_CALLS, "train", "predict", "hands", "pocket", "prepare"}


@pytest.mark.parametrize(
    ("path", "flag"),
    [pytest.param(path, flag, id=" ".join((*path, flag))) for path, item in _OF_ONE_VALUE for flag in item.opts],
)
def test_an_option_of_one_value_that_is_given_twice_is_refused_with_both_values(
    path: tuple[str, ...], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*path, f"{flag}=1", flag, "2"]) == 2
    error = capsys.readouterr().err
    assert f"{flag}=1 and {flag} 2: --" in error
    assert "takes one value; leave one of them out" in error


def test_an_option_of_several_values_may_be_repeated_and_a_flag_too(tmp_path: Path) -> None:
    work = str(tmp_path / "work")
    assert run(["status", "-w", work, "--json", "--json"]) != 2
    assert run(["decode", "x", "-w", work, "--split", "val", "--split", "train", "-n"]) == 5


def test_a_flag_and_its_opposite_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["embed", "--text", "--encoder", "x:y", "--no-text"]) == 2
    assert "--text and --no-text: leave one of them out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "x", "--set", "lr=1", "--set", "lr=2"], "--set lr=1 and --set lr=2: lr takes one value"),
        (
            ["prepare", "table", "x.csv", "--name", "x", "--column", "noun=a", "--column", "noun=b"],
            "--column noun=a and --column noun=b: noun takes one value",
        ),
        (
            ["import-features", "x", "--name", "y", "--text", "noun=a", "--text", "noun=b"],
            "--text noun=a and --text noun=b: one file for noun",
        ),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_both_values(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert said in capsys.readouterr().err
