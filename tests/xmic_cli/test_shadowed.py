from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xmic_cli import shadowed

_REPOSITORY = Path(__file__).resolve().parents[2]
_CALLS = {
    "module": ["-m", "xmic_cli", "--version"],
    "script": ["-c", "import sys; sys.argv = ['xmic', '--version']; from xmic_cli.__main__ import main; main()"],
}


def _run(call: str, folder: Path, *before: Path) -> subprocess.CompletedProcess[str]:
    """Run xmic in a folder, with others on the path before ours."""
    path = os.pathsep.join(map(str, [*before, _REPOSITORY]))
    return subprocess.run(
        [sys.executable, *_CALLS[call]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("call", _CALLS)
@pytest.mark.parametrize("name", ["pipelines", "data_manifests"])
def test_a_package_of_our_name_in_the_current_folder_is_named_in_one_line(tmp_path: Path, name: str, call: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    done = _run(call, tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"error: {tmp_path / name} is found in place of xmic's own package {name} ({_REPOSITORY / name}). "
        "It lies in the current folder: run xmic from another folder, or rename it.\n"
    )


def test_a_module_of_our_name_on_pythonpath_is_named_with_what_to_do_about_it(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pipelines.py").write_text("")
    done = _run("module", tmp_path, tmp_path / "lib")
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: {tmp_path / 'lib' / 'pipelines.py'} is found in place of xmic's own package")
    assert done.stderr.endswith(" Its folder is named in PYTHONPATH: take it out there, or rename it.\n")


@pytest.mark.parametrize("call", _CALLS)
def test_a_folder_of_our_name_that_is_no_package_is_in_nobodys_way(tmp_path: Path, call: str) -> None:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "notes.txt").write_text("mine")
    done = _run(call, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("xmic ")


def test_nothing_of_ours_is_imported_before_it_is_known_to_be_ours() -> None:
    tree = ast.parse(Path(shadowed.__file__).read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
