"""What the shell completes, by the completion that users install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_manifests.schema import SPLITS
from pipelines.embed.encoders import ENCODERS
from pipelines.embed.encoders.spec import POCKET
from pipelines.hands.detector import DETECTORS
from pipelines.hands.options import IMPORTED
from pipelines.methods import METHODS, load_method
from xmic_cli import completion

ROOT = Path(__file__).resolve().parents[2]

_SCRIPT = """
import atexit, sys
slow = {"torch", "numpy", "pyarrow", "pandas", "av", "pipelines.engine.workspace"}
atexit.register(lambda: print(*sorted(slow & set(sys.modules)), file=sys.stderr))
from xmic_cli.app import main
main()
"""


def completed(words: str, folder: Path) -> tuple[list[str], str]:
    """The names that Tab offers behind the words, and the slow modules that were imported for it."""
    given = words.split(" ")
    variables = {"_XMIC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(given) - 1)}
    environment = {name: value for name, value in os.environ.items() if name != "XMIC_WORKSPACE"}
    process = subprocess.run(
        [sys.executable, "-c", _SCRIPT.replace("main()\n", "sys.argv[0] = 'xmic'\nmain()\n")],
        cwd=folder,
        env={**environment, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.split(), process.stderr.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Workspaces with names in them: ./xmic-work, and other for -w."""
    folder = tmp_path_factory.mktemp("completion")
    for place in ("manifests/mine/val", "manifests/other/val", "runs/xmic-official-mine-s0-1a2b3c4d/noun"):
        (folder / "xmic-work" / place).mkdir(parents=True)
    (folder / "xmic-work" / "runs" / "latest").symlink_to("xmic-official-mine-s0-1a2b3c4d")
    (folder / "other" / "manifests" / "elsewhere").mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("xmic decode m", ["mine"]),
        ("xmic train -w other ", ["elsewhere"]),
        ("xmic evaluate --cross ", ["mine", "other"]),
        ("xmic evaluate xm", ["xmic-official-mine-s0-1a2b3c4d"]),
        ("xmic runs rm ", ["latest", "xmic-official-mine-s0-1a2b3c4d"]),
        ("xmic predict a.mp4 --run l", ["latest"]),
        ("xmic train --method clip", ["clip-adapter", "clip-adapter-temporal"]),
        ("xmic train --preset p", ["paper"]),
        ("xmic embed --encoder o", ["open_clip:"]),
        ("xmic detect-hands --detector ", list(completion.DETECTORS)),
        ("xmic decode --split t", ["train", "test"]),
    ],
)
def test_names_are_completed_without_a_slow_import(folder: Path, words: str, names: list[str]) -> None:
    assert completed(words, folder) == (names, "")


def test_the_workspace_of_xmic_toml_is_used_and_a_broken_file_completes_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "xmic.toml").write_text(f'workspace = "{folder / "other"}"\n')
    assert completed("xmic train ", tmp_path) == (["elsewhere"], "")
    (tmp_path / "xmic.toml").write_text("workspace =")
    assert completed("xmic train ", tmp_path) == ([], "")


def test_the_names_that_are_copied_are_those_of_today() -> None:
    presets = {name for method in METHODS for name in load_method(method).presets}
    assert set(completion.PRESETS) == presets
    assert set(completion.ENCODERS) == {POCKET, *(f"{family}:" for family in ENCODERS)}
    assert set(completion.DETECTORS) == {*DETECTORS, *IMPORTED}
    assert tuple(SPLITS) == completion.SPLITS
