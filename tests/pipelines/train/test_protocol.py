from __future__ import annotations

import shutil

import pytest

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.clips import EmbedClipsStage
from pipelines.engine import stage
from pipelines.train.options import ProtocolChoice
from pipelines.train.protocol import on_target, resolve

HAND = "hand-fake-hands-00000000-h0.5-o0.01-m0-center"


def resolved(workspace, **choice):
    return resolve(workspace, "mine", "train", ProtocolChoice(**choice), classify_default="hand")[0]


def test_blanks_are_filled_from_what_is_embedded(embedded):
    protocol = resolved(embedded)
    assert (protocol.encoder, protocol.v2, protocol.streams, protocol.classify) == ("fake-00000000",) * 2 + (
        "both",
        "hand",
    )
    assert protocol.hands == HAND
    assert protocol.needed == {
        "frames": ("fake-00000000", HAND),
        "hand": ("fake-00000000", HAND),
        "full": ("fake-00000000", "full"),
    }


def test_a_method_that_is_not_conditioned_reads_the_classified_stream_only(embedded):
    choice = ProtocolChoice(classify="full")
    protocol, _ = resolve(embedded, "mine", "train", choice, classify_default="hand", conditioned=False)
    assert protocol.needed == {"frames": ("fake-00000000", "full")}
    assert protocol.hands is None


def test_two_encoders_must_be_told_apart(embedded, world):
    world.embed_dataset(embedded, "mine", ("train",), world.encoder("second"))
    with pytest.raises(
        InputError, match=r"more than one encoder \(fake-00000000, second-00000000\); choose one with --encoder"
    ):
        resolved(embedded)
    assert resolved(embedded, encoder="fake-00000000", v2="second-00000000").v2 == "second-00000000"


def test_what_is_missing_names_the_command(embedded):
    with pytest.raises(
        MissingUpstream, match="no encoder nothing; there is fake-00000000. Run xmic embed mine --split train"
    ):
        resolved(embedded, encoder="nothing")
    for folder in (embedded.root / "embeddings/mine/train/seg4-k3-native-q95/fake-00000000").glob("hand-*"):
        shutil.rmtree(folder)
    with pytest.raises(MissingUpstream, match="no hand stream is embedded.*--streams full --classify full"):
        resolved(embedded)
    assert resolved(embedded, streams="full", classify="full").hands is None


def test_unknown_streams_are_refused(embedded):
    with pytest.raises(UsageError, match="--streams sideways: expected full, hand or both"):
        resolved(embedded, streams="sideways")


def test_a_target_made_the_same_way_is_taken(embedded):
    target, frames, mixed = on_target(embedded, "other", "val", resolved(embedded), allow_mixed=False)
    assert mixed == []
    assert frames.plan.candidates == 1
    assert target.needed == resolved(embedded).needed


def test_a_target_made_otherwise_is_refused_with_both_values_unless_allowed(embedded, world):
    protocol = resolved(embedded)
    shutil.rmtree(embedded.root / "embeddings/other")
    world.embed_dataset(embedded, "other", ("val",), world.encoder(precision="bf16"))
    with pytest.raises(InputError, match=r"other val: precision is 'bf16', the run was trained with 'fp32'"):
        on_target(embedded, "other", "val", protocol, allow_mixed=False)
    mixed = on_target(embedded, "other", "val", protocol, allow_mixed=True)[2]
    assert {"what": "precision", "run": "fp32", "target": "bf16"} in mixed


def test_a_target_with_another_encoder_is_refused(embedded, world):
    protocol = resolved(embedded)
    shutil.rmtree(embedded.root / "embeddings/other")
    with pytest.raises(MissingUpstream, match="the run used encoder fake-00000000, other val has none"):
        on_target(embedded, "other", "val", protocol, allow_mixed=True)
    world.embed_dataset(embedded, "other", ("val",), world.encoder("second"))
    with pytest.raises(InputError, match="other val has second-00000000. Make it the same way, or pass --allow-mixed"):
        on_target(embedded, "other", "val", protocol, allow_mixed=False)


def test_a_target_with_other_segments_is_refused(embedded):
    shutil.rmtree(embedded.root / "frames/other")
    with pytest.raises(MissingUpstream, match="no frames with 4 segments, short side 0 and quality 95"):
        on_target(embedded, "other", "val", resolved(embedded), allow_mixed=False)


def test_hand_crops_of_the_second_encoder_alone_condition_on_a_target_too(embedded, world):
    for dataset, split in (("mine", "train"), ("other", "val")):
        world.embed_dataset(embedded, dataset, (split,), world.encoder("second"))
        for folder in (embedded.root / "embeddings" / dataset / split).glob("*/fake-00000000/hand-*"):
            shutil.rmtree(folder)
    protocol = resolved(embedded, encoder="fake-00000000", v2="second-00000000", classify="full")
    target, _, differences = on_target(embedded, "other", "val", protocol, allow_mixed=False)
    assert (target.needed["hand"], differences) == (("second-00000000", HAND), [])
    for folder in (embedded.root / "embeddings/other/val").glob("*/second-00000000/hand-*"):
        shutil.rmtree(folder)
    with pytest.raises(MissingUpstream, match=f"second-00000000: the run used hands {HAND}, other val has none"):
        on_target(embedded, "other", "val", protocol, allow_mixed=False)


def test_the_class_names_belong_to_the_protocol(embedded):
    assert resolved(embedded).names == "official"
    protocol = resolved(embedded, names="fixed")
    assert protocol.as_dict()["names"] == "fixed"
    assert on_target(embedded, "other", "val", protocol, allow_mixed=False)[0].names == "fixed"


def test_the_clip_stream_is_classified_while_frames_condition(embedded, world):
    frames = DecodeStage(embedded, "mine", "train", FramePlan(4, 3, 0))
    with pytest.raises(
        MissingUpstream, match=r"clip: no vectors\. Run xmic embed mine .* --clip-frames 16 with an encoder"
    ):
        resolved(embedded, classify="clip")
    stage.run(EmbedClipsStage(frames, world.encoder(), clip_frames=4))
    protocol = resolved(embedded, classify="clip", streams="full")
    assert protocol.needed == {"frames": ("fake-00000000", "clip"), "full": ("fake-00000000", "full")}
    assert protocol.hands is None
    assert protocol.vectors["fake-00000000/clip"]["clip_frames"] == 4


def test_a_target_whose_clips_have_another_number_of_frames_is_refused(embedded, world):
    for dataset, split, candidates, count in (("mine", "train", 3, 4), ("other", "val", 1, 2)):
        frames = DecodeStage(embedded, dataset, split, FramePlan(4, candidates, 0))
        stage.run(EmbedClipsStage(frames, world.encoder(), clip_frames=count))
    protocol = resolved(embedded, classify="clip", streams="full")
    with pytest.raises(InputError, match="other val: clip_frames is 2, the run was trained with 4"):
        on_target(embedded, "other", "val", protocol, allow_mixed=False)
