"""A run that somebody else made: it writes nothing outside the workspace, and runs no code unless it is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.evaluate.run_folders import changed, write_run
from xmic_cli.app import run

_OUT = "../../../../outside"


def _calls(folder: Path, work: Path) -> list[list[str]]:
    space = ["-w", str(work)]
    video = folder.parent / "v.mp4"
    video.write_bytes(b"")
    return [
        ["evaluate", str(folder), *space],
        ["export", str(folder), "--into", str(work / "again"), *space],
        ["predict", str(video), "--run", str(folder), *space],
    ]


@pytest.mark.parametrize("place", ["name", "protocol__encoder", "protocol__v2", "protocol__hands", "source__dataset"])
def test_nothing_is_written_by_a_name_that_leads_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    folder = write_run(tmp_path / "deep" / "theirs", changed(**{place: _OUT}))
    calls = _calls(folder, tmp_path / "a/b/work")
    before = sorted(tmp_path.rglob("*"))
    for call in calls:
        assert run(call) == 3, call
        assert "expected a name that can be a folder" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_class_is_imported_only_with_trust(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "imported"
    (tmp_path / "somebody_elses.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = write_run(tmp_path / "theirs", changed(method="somebody_elses:Method"))
    calls = _calls(folder, tmp_path / "work")
    for call in calls:
        assert run(call) == 3, call
        said = capsys.readouterr().err
        assert "names 'somebody_elses:Method', which is not part of xmic" in said
        assert "pass --trust" in said
        assert not marker.exists()
    for call in calls:
        run([*call, "--trust"])
        assert "--trust" not in capsys.readouterr().err, call
