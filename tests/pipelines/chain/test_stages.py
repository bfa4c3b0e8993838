from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.chain.stages import embed_stages, hands_stages
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.options import EmbedOptions
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.engine import stage
from pipelines.engine.batches import made_batch_size
from pipelines.engine.machine import Machine
from pipelines.engine.workspace import Workspace
from pipelines.hands.detector import DetectorIdentity
from pipelines.hands.options import HandsOptions
from pipelines.hands.stage import DetectHandsStage
from tests.pipelines.embed.encoders.lavila_checkpoint import MODEL, write_checkpoint

TINY = Path(__file__).resolve().parents[3] / "examples" / "tiny-clip.json"


class NoHands:
    def detect(self, images):
        return [[] for _ in images]


def crop_of(workspace, detector: str, threshold: float | None = None) -> str:
    options = EmbedOptions(
        encoder=f"open_clip:{TINY}/random",
        streams="hand",
        text=False,
        precision="fp32",
        detector=detector,
        hand_threshold=threshold,
        allow_random_weights=True,
    )
    (embed,) = embed_stages(workspace, "mine", ["val"], options, Machine(device="cpu"))
    return embed.params["crop"]


@pytest.fixture
def of_epic(embedded):
    """Boxes that say they are those of EPIC-KITCHENS."""
    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    stage.run(DetectHandsStage(frames, DetectorIdentity("epic-100doh", {"detector": "epic-100doh"}, {}), NoHands))
    return embedded


def test_the_hand_threshold_is_the_official_one_for_the_boxes_there_are(of_epic):
    assert crop_of(of_epic, "epic-100doh") == "h0.8-o0.01-m0-center"
    assert crop_of(of_epic, "fake-hands-00000000") == "h0.5-o0.01-m0-center"


def test_a_hand_threshold_that_is_given_counts_whatever_the_boxes(of_epic):
    assert crop_of(of_epic, "epic-100doh", 0.3) == "h0.3-o0.01-m0-center"
    assert crop_of(of_epic, "fake-hands-00000000", 0.0) == "h0-o0.01-m0-center"


def test_without_a_batch_size_an_encoder_goes_on_with_that_of_its_earlier_vectors(embedded):
    options = EmbedOptions("pocket", streams="full", text=False, precision="fp32")

    def size(**changes):
        (item,) = embed_stages(embedded, "mine", ["val"], replace(options, **changes), Machine(device="cpu"))
        assert item.encoder.model._shape[0] == item.encoder.batch_size
        return item.encoder.batch_size

    assert size() == 64
    (earlier,) = embed_stages(embedded, "mine", ["train"], replace(options, batch_size=9), Machine(device="cpu"))
    stage.run(earlier)
    assert size() == 9
    assert size(batch_size=5) == 5


def test_an_automatic_batch_size_is_found_on_a_gpu_only_and_only_without_earlier_vectors(embedded, monkeypatch):
    options = EmbedOptions("pocket", streams="full", text=False, precision="fp32", batch_size="auto")
    plain = replace(options, batch_size=None)
    made = []

    def recorded(identity, load, **how):
        made.append((identity.environment["batch_shape"][0], how))
        return LazyEncoder(identity, load)

    monkeypatch.setattr("pipelines.chain.stages.LazyEncoder", recorded)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("pipelines.chain.stages.made_batch_size", lambda *_: None)
    for asked, device in ((options, "cpu"), (options, "cuda"), (plain, "cuda")):
        embed_stages(embedded, "mine", ["val"], asked, Machine(device=device))
    monkeypatch.setattr("pipelines.chain.stages.made_batch_size", lambda *_: 9)
    embed_stages(embedded, "mine", ["val"], options, Machine(device="cuda"))
    assert made == [
        (64, {"finds": False, "shrinks": False}),
        (256, {"finds": True, "shrinks": True}),
        (256, {"finds": False, "shrinks": False}),
        (9, {"finds": False, "shrinks": True}),
    ]


def test_the_batch_size_of_another_device_is_not_taken(embedded, world):
    lazy = world.encoder("far")
    lazy.identity.environment.update(batch_shape=[9, 3, 8, 8], device="cuda")
    stage.run(EmbedStage(DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0)), lazy))
    far = embedded.vectors_by("far-00000000", "mine")
    assert made_batch_size(far, "cuda") == 9
    assert made_batch_size(far, "cuda:1") == 9
    assert made_batch_size(far, "cpu") is None


def test_without_a_batch_size_the_hand_model_goes_on_with_that_of_its_earlier_boxes(embedded):
    def detecting(**options):
        (item,) = hands_stages(
            embedded, "mine", ["val"], HandsOptions(precision="fp32", **options), Machine(device="cpu")
        )
        assert isinstance(item, DetectHandsStage)
        assert item.load()._batch_size == item.identity.environment["batch_shape"][0]
        return item

    assert detecting().identity.environment["batch_shape"][0] == 64
    assert detecting(image_size=640).identity.environment["batch_shape"][0] == 16
    earlier = detecting(batch_size=9)
    stage.run(DetectHandsStage(earlier.frames, earlier.identity, NoHands))
    assert detecting().identity.environment["batch_shape"][0] == 9
    assert detecting(batch_size=5).identity.environment["batch_shape"][0] == 5
    assert detecting(image_size=320).identity.environment["batch_shape"][0] == 64


def test_embedding_remembers_where_the_encoders_files_lie(of_epic):
    crop_of(of_epic, "epic-100doh")
    assert list(Workspace.open(of_epic.root).encoders.values()) == [f"open_clip:{TINY}/random"]


def test_clips_are_made_beside_the_streams_of_frames_when_they_are_asked_for(embedded, tmp_path):
    options = EmbedOptions(
        encoder=f"lavila:{MODEL}={write_checkpoint(tmp_path / 'w.pth')}",
        streams="full",
        text=False,
        precision="fp32",
        clip_frames=2,
    )
    stages = embed_stages(embedded, "mine", ["val"], options, Machine(device="cpu"))
    assert [item.title for item in stages] == ["mine val full", "mine val clip"]
    assert stages[1].params["clip_segments"] == [1, 3]
