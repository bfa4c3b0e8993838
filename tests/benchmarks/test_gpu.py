from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.gpu import decode, detect, embed
from benchmarks.gpu.__main__ import main, measured, report
from pipelines.hands.detector import Box


@pytest.fixture(scope="module")
def found():
    return measured("cpu", 0.01, quick=True)


def test_every_part_is_measured_on_a_cpu_and_agrees_with_itself(found):
    assert set(found["parts"]) >= {"decode", "detect", "embed"}
    checks = [(part, row["ok"]) for part, rows in found["parts"].items() for row in rows if "ok" in row]
    assert {part for part, ok in checks if ok} >= {"decode", "detect", "embed"}
    assert not [part for part, ok in checks if ok is False]
    rates = [row["frames per second"] for row in found["parts"]["decode"] if row["way"].startswith("CPU")]
    assert len(rates) == 2
    assert min(rates) > 0


def test_where_the_time_goes_is_measured(found):
    (detected,) = found["parts"]["detect"]
    parts = ("copy, ms", "letterbox, ms", "network, ms", "boxes, ms")
    assert all(detected[name] > 0 for name in parts)
    for row in found["parts"]["embed"]:
        assert row["pictures/s from JPEGs"] > 0
        assert row["preprocess, ms per core"] > 0


def test_a_gpu_that_is_not_asked_for_is_said_to_be_missing(found):
    notes = {row["way"]: row["note"] for row in found["parts"]["decode"]}
    assert notes["NVDEC by PyAV"] == notes["NVDEC by torchcodec"] == "no CUDA device asked for"


def test_a_decoder_that_cannot_be_opened_is_a_note_and_other_frames_are_a_failed_check():
    def broken():
        raise OSError("no NVDEC here")

    expected = [np.zeros((6, 4), np.uint8)] * 2
    assert decode._measured(broken, expected, 0.01)["note"] == "no NVDEC here"
    near = decode._measured(lambda: iter([np.ones((6, 4), np.uint8)] * 2), expected, 0.01)
    assert (near["largest difference"], near["ok"]) == (1, True)
    far = decode._measured(lambda: iter([np.full((6, 4), 2, np.uint8)] * 2), expected, 0.01)
    assert (far["largest difference"], far["ok"]) == (2, False)
    assert decode._measured(lambda: iter(expected[:1]), expected, 0.01)["ok"] is False


def test_boxes_are_compared_by_their_overlap():
    here, there = Box(0.1, 0.1, 0.5, 0.5, 0.9), Box(0.5, 0.1, 0.9, 0.5, 0.9)
    assert detect.same_share([[here], [there]], [[here], [here]]) == 0.5
    assert detect.same_share([[here], []], [[here], [Box(0, 0, 1, 1, 0.1)]]) == 1.0
    with pytest.raises(RuntimeError, match="there is nothing to compare"):
        detect.same_share([[here]], [[]])


def test_cosines_and_answers_are_those_of_each_row():
    vectors, turned = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[[1, 0, 2]]
    np.testing.assert_allclose(embed.cosines(vectors, 2 * vectors), 1)
    np.testing.assert_allclose(embed.cosines(vectors, turned), [0, 0, 1])
    np.testing.assert_array_equal(embed.best(vectors, 5 * turned), [1, 0, 2])


def test_results_become_a_report_and_a_failed_check_the_exit_code(found, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.__main__.measured", lambda *_: found)
    results = tmp_path / "gpu.json"
    assert main(["--device", "cpu", "--results", str(results)]) == 0
    assert json.loads(results.read_text()) == json.loads(json.dumps(found))
    assert main(["--report", str(tmp_path / "gpu.md"), "--results", str(results)]) == 0
    assert (tmp_path / "gpu.md").read_text() == report(found)
    for title in ("# GPU self-test", "## Decode", "## Detect hands", "## Embed"):
        assert title in report(found)
    capsys.readouterr()
    wrong = {**found, "parts": {"embed": [{"encoder": "x", "ok": False}]}}
    monkeypatch.setattr("benchmarks.gpu.__main__.measured", lambda *_: wrong)
    assert main(["--device", "cpu", "--quick"]) == 1
    said = capsys.readouterr()
    assert "**NO**" in said.out
    assert "checks failed: embed" in said.err
    assert main(["--report", str(tmp_path / "x.md"), "--results", str(tmp_path / "none.json")]) == 3
