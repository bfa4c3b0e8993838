from __future__ import annotations

import pytest

from data_manifests.errors import InputError, MissingUpstream
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.shards import read_rows
from pipelines.engine.stage import RunPolicy
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.stage import BoxesInStep, DetectHandsStage, read_boxes


def frames_of(workspace, split="val"):
    return DecodeStage(workspace, "mine", split, FramePlan(4, 3 if split == "train" else 1, 0))


def detect(workspace, detector, slug="other-00000000"):
    return DetectHandsStage(frames_of(workspace), DetectorIdentity(slug, {"detector": slug}, {}), lambda: detector)


class OneHand:
    def detect(self, images):
        return [[Box(0.1, 0.2, 0.5, 0.6, 0.7, "left"), Box(0, 0, 1, 1, 0.011, None, "object", True)] for _ in images]


def test_every_frame_has_a_row_with_its_raw_boxes(embedded):
    hands = detect(embedded, OneHand())
    report = stage.run(hands)
    assert report.rows == 6 * 4
    boxes = read_boxes(next(hands.folder.glob("part-*")))
    assert len(boxes) == 24
    found = next(iter(boxes.values()))
    assert [(box.side, box.kind, box.contact) for box in found] == [("left", "hand", None), (None, "object", True)]
    assert found[0].x1 == pytest.approx(0.5)


def test_a_detector_is_not_loaded_when_there_is_nothing_to_do(embedded):
    stage.run(detect(embedded, OneHand()))

    def never():
        raise AssertionError("loaded")

    again = DetectHandsStage(
        frames_of(embedded), DetectorIdentity("other-00000000", {"detector": "other-00000000"}, {}), never
    )
    assert stage.run(again).made == 0


def test_another_detector_has_a_folder_of_its_own(embedded):
    assert detect(embedded, OneHand(), "a-11111111").folder != detect(embedded, OneHand(), "b-22222222").folder


def test_changed_weights_redo_the_boxes(embedded):
    stage.run(detect(embedded, OneHand()))
    changed = DetectHandsStage(
        frames_of(embedded), DetectorIdentity("other-00000000", {"detector": "retrained"}, {}), OneHand
    )
    assert [item.why for item in stage.plan(changed).todo] == ["detector changed from 'other-00000000' to 'retrained'"]


def test_a_frame_that_is_no_jpeg_is_a_failure_row_and_the_others_have_boxes(embedded, monkeypatch):
    from pipelines.decode import stored_frames as images

    real = images.from_jpeg
    calls = []

    def broken(data):
        calls.append(1)
        if len(calls) == 3:
            raise InputError("not a JPEG")
        return real(data)

    monkeypatch.setattr(images, "from_jpeg", broken)
    hands = detect(embedded, OneHand())
    report = stage.run(hands, RunPolicy(max_failures=5))
    assert (report.rows, report.failures) == (23, {"decode_error": 1})
    part = next(hands.folder.glob("part-*"))
    failure = read_rows(part.parent / "failures" / part.name).to_pylist()[0]
    assert failure["error"] == "not a JPEG"
    assert (failure["video_id"], failure["pts"]) not in read_boxes(part)


def test_boxes_in_step_skip_a_frame_without_a_row_and_refuse_what_no_frame_asked_for(embedded):
    hands = detect(embedded, OneHand())
    stage.run(hands)
    part = next(hands.folder.glob("part-*"))
    keys = list(read_boxes(part))
    in_step = BoxesInStep(part)
    assert len(in_step.of(keys[0])) == 2
    assert in_step.of(("mine", -1)) is None
    assert all(in_step.of(key) is not None for key in keys[1:-1])
    with pytest.raises(InputError, match=rf"its boxes of {keys[-1][0]}, pts {keys[-1][1]}, are of no frame"):
        in_step.finish()
    in_step.of(keys[-1])
    in_step.finish()


def test_without_frames_the_command_is_named(embedded):
    hands = DetectHandsStage(DecodeStage(embedded, "mine", "val", FramePlan(9)), DetectorIdentity("x", {}, {}), OneHand)
    with pytest.raises(MissingUpstream, match="no frames. Run xmic decode mine --split val"):
        hands.units()


def test_frames_that_are_not_decoded_yet_are_an_error_or_on_request_a_note(tmp_path, make_video):
    from data_manifests.readers.table import TableReader
    from pipelines.engine.progress import Silent
    from pipelines.engine.workspace import DatasetSettings, Workspace
    from pipelines.prepare.stage import prepare

    rows = ["video,start_s,stop_s,verb,noun"]
    for index in range(8):
        make_video(tmp_path / f"{index}.mp4", seconds=0.5)
        rows.append(f"{index}.mp4,0,0.5,cut,bread")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    workspace = Workspace.open(tmp_path / "work")
    prepare(workspace, "mine", TableReader([(tmp_path / "clips.csv", "val")], roots=[tmp_path]), [tmp_path])
    workspace.datasets["mine"] = DatasetSettings("table", (str(tmp_path),), 64)
    frames = frames_of(workspace)
    stage.run(frames, RunPolicy(limit=1))
    notes = []

    class Listening(Silent):
        def note(self, text):
            notes.append(text)

    with pytest.raises(MissingUpstream, match=f"lacks its frames: run {frames.command}, and then this again"):
        stage.run(detect(workspace, OneHand()))
    report = stage.run(detect(workspace, OneHand()), RunPolicy(allow_partial=True), Listening())
    missing = len(frames.units_by_clips()) - 1
    assert (report.made, report.remaining) == (1, missing)
    assert [note.partition(" be made")[0] for note in notes] == [f"detect-hands mine val: {missing} shards cannot"]
