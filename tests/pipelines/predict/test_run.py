from __future__ import annotations

import runpy
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest

import pipelines.predict
from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine.shards import read_rows
from pipelines.predict import EmbeddedFootage, Predictor, load_run
from tests.pipelines.kitchen_world import MACHINE, SEGMENTS, Kitchen


def table(folder: Path, *rows: str) -> Path:
    file = folder / "segments.csv"
    file.write_text("\n".join(["video,start,stop", *rows]) + "\n")
    return file


def scores_of(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    rows = read_rows(path).to_pylist()
    return [tuple(np.array(row[f"{label}_scores"], np.float32) for label in ("noun", "verb")) for row in rows]  # type: ignore[misc]


@pytest.fixture(scope="module")
def seen(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, EmbeddedFootage]:
    """A whole video, embedded for a run that looks at hands."""
    predictor = kitchen.load()
    return predictor, predictor.embed([kitchen.video("a.mp4")], cache=tmp_path_factory.mktemp("seen"))


@pytest.mark.parametrize(("run", "chosen"), [("xmic", [0, 1, 2, 3, 4]), ("xmic", [3, 1]), ("zero_shot", [2])])
def test_the_scores_of_a_clip_are_those_of_evaluate_to_the_bit(
    kitchen: Kitchen, tmp_path: Path, run: str, chosen: list[int]
) -> None:
    name = getattr(kitchen, run)
    expected = scores_of(kitchen.work / "evaluations" / name / "mine-test" / "predictions.parquet")
    videos = sorted({kitchen.video(SEGMENTS[number][0]) for number in chosen})
    rows = [f"{video},{start!r},{stop!r}" for video, start, stop in (SEGMENTS[number] for number in chosen)]
    predictor = kitchen.load(name)
    footage = predictor.embed(videos, segments=table(tmp_path, *rows), cache=tmp_path / "cache")
    answers = predictor.predict(footage)
    found = scores_of(answers.predictions)
    assert len(found) == len(chosen)
    for number, scores in zip(chosen, found, strict=True):
        for one, other in zip(scores, expected[number], strict=True):
            assert one.tobytes() == other.tobytes()


def test_the_same_again_makes_nothing_and_loads_no_encoder(
    kitchen: Kitchen, seen: tuple[Predictor, EmbeddedFootage], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, footage = seen
    answers = list(predictor.predict(footage))
    monkeypatch.setattr("pipelines.predict.as_trained.load_encoder", None)
    again = kitchen.load()
    same = again.embed([kitchen.video("a.mp4")], cache=footage.cache.root)
    repeated = again.predict(same)
    assert (same.made, repeated.made) == (0, 0)
    assert list(repeated) == answers


def test_other_words_cost_their_texts_and_the_scores_and_any_words_will_do(
    seen: tuple[Predictor, EmbeddedFootage],
) -> None:
    predictor, footage = seen
    before = predictor.predict(footage)
    answers = predictor.predict(footage, nouns=["zebra", "cup"], top=1)
    assert answers.made - footage.made == 2
    (clip,) = answers
    assert len(clip.nouns) == 1
    assert clip.nouns[0].name in ("zebra", "cup")
    assert {answer.name for answer in clip.verbs} < {"cut", "stir", "open"}
    assert next(line for line in answers.warnings if "zebra" in line).startswith("warning: the pocket encoder was not")
    with pytest.raises(InputError, match="replaced by those for other words; predict again"):
        list(before)


def test_none_of_these_is_said_of_the_labels_whose_best_word_is_not_probable_enough(
    seen: tuple[Predictor, EmbeddedFootage],
) -> None:
    predictor, footage = seen
    (clip,) = predictor.predict(footage, nouns=["cup"], none_below=0.99)
    assert clip.none_of_these == ("verb",)
    assert clip.nouns[0].probability == 1
    assert sum(answer.probability for answer in clip.verbs) == pytest.approx(1)
    with pytest.raises(UsageError, match=r"--none-below 1.5: expected 1 or more, and a share"):
        predictor.predict(footage, none_below=1.5)


def test_windows_cover_the_whole_video_and_share_their_frames(kitchen: Kitchen, tmp_path: Path) -> None:
    predictor = kitchen.load(kitchen.zero_shot)
    footage = predictor.embed([kitchen.video("b.mp4")], window_s=1.0, stride_s=0.5, cache=tmp_path)
    clips = list(predictor.predict(footage))
    assert [(clip.start_s, clip.stop_s) for clip in clips] == [(0, 1), (0.5, 1.5), (1, 2)]
    frames = sum(read_rows(part, ["pts"]).num_rows for part in footage.frames.folder.glob("part-*"))
    assert frames == 8


def test_a_clip_that_can_not_be_seen_is_listed_with_its_reason_and_the_others_are_answered(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    unknown = tmp_path / "unknown.mp4"
    shutil.copy(kitchen.video("a.mp4"), unknown)
    predictor = kitchen.load()
    file = table(tmp_path, "a,0,1", "a,5,6", "broken,0,1", "unknown,0,1")
    videos = [kitchen.video("a.mp4"), broken, unknown]
    answers = predictor.predict(predictor.embed(videos, segments=file, cache=tmp_path / "cache"))
    good, late, unreadable, without_boxes = answers
    assert good.failed is None
    assert len(good.nouns) == 3
    assert (late.failed or "").startswith("past_end: 4 of 4 instants")
    assert (unreadable.failed or "").startswith("not_a_video: ")
    assert (without_boxes.failed or "").startswith("no_boxes: ")
    assert not late.nouns
    assert str(answers.problem).startswith("decode: 8 of 16 rows failed")


def test_boxes_of_another_origin_need_leave_and_the_answers_say_so(kitchen: Kitchen, tmp_path: Path) -> None:
    other = shutil.copy(kitchen.boxes, tmp_path / "mine.csv")
    with pytest.raises(InputError, match=r"are by boxes-hand_boxes, these by boxes-mine\. .* --allow-mixed"):
        kitchen.load(boxes=other).embed([kitchen.video("a.mp4")], cache=tmp_path / "cache")
    predictor = kitchen.load(boxes=other, allow_mixed=True)
    answers = predictor.predict(predictor.embed([kitchen.video("a.mp4")], cache=tmp_path / "cache"))
    assert any("mixed detector: run boxes-hand_boxes, here boxes-mine" in line for line in answers.warnings)


def test_answers_by_random_weights_are_said_to_mean_nothing(
    seen: tuple[Predictor, EmbeddedFootage], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, footage = seen
    encoder = predictor.run.protocol.encoder
    line = f"warning: {encoder} has random weights; these answers mean nothing"
    assert line not in predictor.predict(footage).warnings
    made = {"spec": "ViT-B-32/random", "random_weights": True}
    monkeypatch.setattr("pipelines.predict.run.made_by", lambda protocol, folder: made)
    assert line in predictor.predict(footage).warnings


def test_windows_of_a_file_that_is_no_video_fail_with_its_reason(kitchen: Kitchen, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    predictor = kitchen.load(kitchen.zero_shot)
    (clip,) = predictor.predict(predictor.embed([tmp_path / "empty.mp4"], window_s=1, cache=tmp_path / "cache"))
    assert (clip.failed or "").startswith("empty_file: ")
    assert clip.stop_s is None


def test_words_for_a_head_that_is_not_there_and_words_that_repeat_are_refused(kitchen: Kitchen, tmp_path: Path) -> None:
    shutil.copytree(kitchen.work / "runs" / kitchen.zero_shot / "noun", tmp_path / "runs" / "only-nouns" / "noun")
    predictor = load_run(tmp_path / "elsewhere", str(tmp_path / "runs" / "only-nouns"), machine=MACHINE)
    footage = predictor.embed([kitchen.video("a.mp4")], cache=tmp_path / "cache")
    (clip,) = predictor.predict(footage, nouns=["cup", "jar"])
    assert not clip.verbs
    with pytest.raises(UsageError, match=r"--verbs: .* has no verb head"):
        predictor.predict(footage, nouns=["cup"], verbs=["cut"])
    with pytest.raises(UsageError, match="nouns: 'cup' appears twice"):
        predictor.predict(footage, nouns=["cup", "cup"])
    with pytest.raises(MissingUpstream, match=r"no nouns to choose from: .* --nouns FILE"):
        predictor.predict(footage)


def test_the_five_lines_of_the_documentation_run_as_they_stand(
    kitchen: Kitchen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line for line in (pipelines.predict.__doc__ or "").splitlines() if line.startswith("    ")]
    assert len(lines) == 5
    (tmp_path / "five.py").write_text(textwrap.dedent("\n".join(lines)))
    shutil.copytree(kitchen.work, tmp_path / "xmic-work", symlinks=True)
    latest = tmp_path / "xmic-work" / "runs" / "latest"
    latest.unlink()
    latest.symlink_to(kitchen.zero_shot)
    shutil.copy(kitchen.video("b.mp4"), tmp_path / "kitchen.mp4")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("five.py", run_name="__main__")
    shown = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [start for start, _ in shown] == ["0.0", "0.5", "1.0", "1.5"]


def test_the_example_of_the_python_api_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "python-api.md").read_text(encoding="utf-8")
    (tmp_path / "example.py").write_text(page.split("```python\n")[1].split("```")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XMIC_OFFLINE", "1")
    table = runpy.run_path("example.py", run_name="__main__")["table"]
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["0.0", "1.0"]
    assert table.column("video").to_pylist() == ["kitchen", "kitchen"]
    assert table.num_columns == 4 + 2 * (1 + 2 * 3) + 1
