from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engine.waiting import SPINS, USERS, wait_briefly

_REPOSITORY = Path(__file__).resolve().parents[3]

# Says what is decided at the moment that something begins to import PyTorch.
_WATCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("torch", os.environ.get("GOMP_SPINCOUNT"), flush=True)
sys.meta_path.insert(0, Watch())
"""


def _fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Code in an interpreter whose user has decided nothing but what is given."""
    inherited = {name: value for name, value in os.environ.items() if name not in USERS}
    all_of_it = {**inherited, "PYTHONPATH": str(_REPOSITORY), **environment}
    return subprocess.run([sys.executable, "-c", code], env=all_of_it, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.argv = ['xmic', 'methods']; from xmic_cli.__main__ import main; main()",
        "import pipelines.engine.precision, torch",
        "from pipelines.train import loop",
        "from pipelines.embed.encoders import open_clip",
    ],
)
def test_it_is_decided_before_pytorch_is_loaded_whatever_is_called_first(code: str) -> None:
    assert f"torch {SPINS}\n" in _fresh(_WATCH + code).stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PyTorch brings another OpenMP")
def test_the_openmp_of_pytorch_reads_it() -> None:
    said = _fresh("import pipelines, torch", OMP_DISPLAY_ENV="verbose").stderr
    if "GOMP_SPINCOUNT" not in said:
        pytest.skip("this PyTorch is built with another OpenMP")
    assert f"GOMP_SPINCOUNT = '{SPINS}'" in said


@pytest.mark.parametrize("name", USERS)
def test_what_the_user_has_set_stays_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in USERS:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "7")
    wait_briefly()
    assert {each: os.environ.get(each) for each in USERS} == {**dict.fromkeys(USERS), name: "7"}


_ASKED = """
import os

def ask(task, heartbeat):
    return os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_WAIT_POLICY")

def reason_of(error):
    return None
"""


@pytest.mark.parametrize(("users", "found"), [({}, (SPINS, None)), ({"OMP_WAIT_POLICY": "ACTIVE"}, (None, "ACTIVE"))])
def test_workers_wait_as_their_parent_does(
    tmp_path: Path, users: dict[str, str], found: tuple[str | None, str | None]
) -> None:
    (tmp_path / "asked_workers.py").write_text(_ASKED)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import asked_workers as asked; "
        "from pipelines.engine.workers import run_killable; "
        "print(*run_killable(asked.ask, [(0, None)], workers=1, timeout_s=60, reason_of=asked.reason_of))"
    )
    assert f"value={found}" in _fresh(code, **users).stdout
