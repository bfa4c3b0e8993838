from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.result_file import Results, result_name, results_of
from data_manifests.errors import InputError

MADE = {"frozen": "f" * 64, "size": "demo"}

_WRITE = """
import sys
from pathlib import Path
from benchmarks.result_file import Results
results = Results(Path(sys.argv[1]), {})
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    results.write(f"{sys.argv[2]}-{number}", {"number": number})
"""


def test_a_result_is_a_line_with_its_name_and_what_it_was_made_under(tmp_path: Path) -> None:
    results = Results(tmp_path / "a.jsonl", MADE)
    results.write(result_name(3, "epic", "xmic"), {"labels": {}, "cost": 0.1})
    text = (tmp_path / "a.jsonl").read_text()
    assert text == (
        f'{{"made":{{"frozen":"{"f" * 64}","size":"demo"}},"name":"seed-3/epic/xmic",'
        '"result":{"cost":0.1,"labels":{}}}\n'
    )
    assert results.read(result_name(3, "epic", "xmic")) == {"labels": {}, "cost": 0.1}
    assert results.read(result_name(3, "epic", "zero-shot-hand")) is None


def test_lines_are_sorted_and_a_second_result_of_a_name_replaces_the_first_alone(tmp_path: Path) -> None:
    results = Results(tmp_path / "a.jsonl", MADE)
    for name in ("c", "a", "b"):
        results.write(name, {"of": name})
    before = results.file.read_text().splitlines()
    assert [json.loads(line)["name"] for line in before] == ["a", "b", "c"]
    results.write("b", {"of": "another"})
    after = results.file.read_text().splitlines()
    assert results.read("b") == {"of": "another"}
    assert (after[0], after[2], len(after)) == (before[0], before[2], 3)


def test_what_is_read_is_the_caller_s_to_change(tmp_path: Path) -> None:
    results = Results(tmp_path / "a.jsonl", MADE)
    results.write("a", {"labels": {"noun": 1}})
    found = results.read("a")
    assert found is not None
    found["labels"].clear()
    assert results.read("a") == {"labels": {"noun": 1}}


def test_two_processes_that_write_different_results_at_once_lose_none(tmp_path: Path) -> None:
    file, names = tmp_path / "a.jsonl", ("one", "other")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(file), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        for name in names
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    results = Results(file, {})
    for name in names:
        assert [results.read(f"{name}-{number}") for number in range(25)] == [{"number": n} for n in range(25)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"made":{},"name":"b","resu', '{"made":{},"name":"b","resu'),
        ("<<<<<<< HEAD", "<<<<<<< HEAD"),
        ('{"made":{},"name":"b"}', '{"made":{},"name":"b"}'),
        ("[]", "[]"),
        ("", "''"),
        ('{"made":{},"name":"a","result":{}}', "a second result a"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_written(tmp_path: Path, line: str, found: str) -> None:
    results = Results(tmp_path / "a.jsonl", {})
    results.write("a", {})
    results.write("c", {})
    first, last = results.file.read_text().splitlines()
    damaged = f"{first}\n{line}\n{last}\n"
    results.file.write_text(damaged)
    for act in (lambda: results.read("c"), lambda: results.write("d", {}), lambda: results_of(results.file, "it")):
        with pytest.raises(InputError) as error:
            act()
        assert f"{results.file}, line 2: " in str(error.value)
        assert found in str(error.value)
        assert "expected one JSON object with made, name and result" in str(error.value)
    assert results.file.read_text() == damaged


@pytest.mark.parametrize("other", [{**MADE, "size": "full"}, {**MADE, "threads": 2}])
def test_a_result_made_under_something_else_is_refused(tmp_path: Path, other: dict[str, object]) -> None:
    file = tmp_path / "a.jsonl"
    Results(file, MADE).write("one", {})
    with pytest.raises(InputError, match="one was made with (size demo, here it is full|threads None, here it is 2)"):
        Results(file, other).read("one")


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is a folder, expected a file of results"):
        Results(tmp_path, MADE).read("one")


def test_what_a_file_was_made_under_is_read_from_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with pytest.raises(InputError, match="there is no result to report. Run make it"):
        results_of(file, "make it")
    Results(file, MADE).write("a/b", {"seconds": 1})
    found = results_of(file, "make it")
    assert found.made == MADE
    assert found.read("a/b") == {"seconds": 1}
