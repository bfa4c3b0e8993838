from __future__ import annotations

import pathlib
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from data_manifests.errors import InputError, UsageError
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.lavila_network import DualEncoder
from pipelines.engine.digest import whole_file_sha256
from tests.pipelines.embed.encoders.lavila_checkpoint import MODEL, SIZES, random_state, write_checkpoint


def options(**changes):
    return {"precision": "fp32", "batch_size": 8, "device": "cpu", "offline": True, **changes}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("lavila") / "ep_0003.pth")


@pytest.fixture(scope="module")
def encoder(file):
    return load_encoder(f"lavila:{MODEL}={file}", **options())


def picture(height=256, width=342, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def refused(file, match, model=MODEL):
    with pytest.raises(InputError, match=match):
        describe_encoder(f"lavila:{model}={file}", **options())


def test_an_official_checkpoint_loads_to_its_towers(encoder):
    assert encoder.dim == SIZES.dim
    assert encoder.logit_scale == pytest.approx(1 / 0.07)
    network = DualEncoder(SIZES)
    network.load_state_dict(random_state())
    frames = [encoder.preprocess(picture(seed=seed)) for seed in range(4)]
    with torch.no_grad():
        singles = network.encode_clip(torch.stack(frames)[:, None]).numpy()
        clip = network.encode_clip(torch.stack(frames)[None]).numpy()
    np.testing.assert_allclose(encoder.embed(frames), singles, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(encoder.embed_clips([torch.stack(frames)]), clip, rtol=1e-3, atol=1e-4)
    assert encoder.encode_texts(["cut", "chopping board"]).shape == (2, SIZES.dim)


def test_pixels_are_resized_cut_and_normalised_as_the_checkpoints_were_trained(encoder):
    found = encoder.preprocess(picture())
    pixels = torch.from_numpy(picture().copy()).permute(2, 0, 1).float()
    resized = F.interpolate(pixels[None], (224, 299), mode="bilinear", align_corners=False)[0]
    left = round((299 - 224) / 2)
    mean, std = [108.3272985, 116.7460125, 104.0937362], [68.5005327, 66.6321579, 70.3231631]
    expected = (resized[:, :, left : left + 224] - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(found, expected)


def test_a_vector_does_not_depend_on_what_else_is_in_the_call(encoder):
    frames = [encoder.preprocess(picture(seed=seed)) for seed in range(9)]
    np.testing.assert_array_equal(encoder.embed(frames)[8:], encoder.embed(frames[8:]))
    clips = [torch.stack(frames[start : start + 4]) for start in range(3)]
    np.testing.assert_array_equal(encoder.embed_clips(clips)[2:], encoder.embed_clips(clips[2:]))
    assert encoder.embed_clips([]).shape == (0, SIZES.dim)


def test_more_frames_than_a_batch_has_are_one_clip_a_forward_pass(file):
    small = load_encoder(f"lavila:{MODEL}={file}", **options(batch_size=2))
    assert small.embed_clips([torch.stack([small.preprocess(picture())] * 16)]).shape == (1, SIZES.dim)


def test_bf16_is_close_to_fp32_and_leaves_the_text_alone(file, encoder):
    half = load_encoder(f"lavila:{MODEL}={file}", **options(precision="bf16"))
    frames = [encoder.preprocess(picture(seed=seed)) for seed in range(2)]
    a, b = half.embed(frames), encoder.embed(frames)
    assert ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min() > 0.999
    np.testing.assert_array_equal(half.encode_texts(["cut"]), encoder.encode_texts(["cut"]))


def test_what_made_the_vectors_is_said(file):
    identity = describe_encoder(f"lavila:{MODEL}={file}", **options())
    assert identity.clips
    facts = identity.provenance
    assert facts["spec"] == f"lavila:{MODEL}=ep_0003.pth"
    assert facts["weights_sha256"] == whole_file_sha256(file)
    assert (facts["pretrained_on"], facts["image_size"], facts["normalised"]) == ("Ego4D", 224, False)
    assert identity.text_provenance["pretrained_on"] == "Ego4D"
    assert identity.slug.startswith("lavila-clip-openai-timesformer-base-ep-0003.pth-")


def test_what_it_was_fine_tuned_on_is_said_too(tmp_path):
    file = write_checkpoint(tmp_path / "w.pth", arguments={"dataset": "ek100_mir"})
    facts = describe_encoder(f"lavila:{MODEL}={file}", **options()).provenance
    assert facts["pretrained_on"] == "Ego4D and ek100_mir"


def test_tensors_without_arguments_load_as_well(tmp_path, encoder):
    file = tmp_path / "w.safetensors"
    save_file(random_state(), file)
    same = load_encoder(f"lavila:{MODEL}={file}", **options())
    frames = [encoder.preprocess(picture())]
    np.testing.assert_array_equal(same.embed(frames), encoder.embed(frames))


@pytest.mark.parametrize(
    ("value", "named"), [(Fraction(1, 3), r"fractions\.Fraction"), (pathlib.PurePosixPath("/x"), r"pathlib\.")]
)
def test_anything_but_tensors_plain_values_and_a_namespace_is_refused_by_name(tmp_path, value, named):
    file = write_checkpoint(tmp_path / "w.pth", best_metric=value)
    refused(file, rf"w\.pth: not readable as plain weights \(it holds {named}.*plain values and argparse\.Namespace")


def test_a_namespace_is_refused_in_the_files_of_other_families(file):
    from pipelines.embed.encoders.weights import read_state_dict

    with pytest.raises(InputError, match=r"it holds argparse\.Namespace"):
        read_state_dict(file)


def test_missing_and_unknown_tensors_are_refused_by_name(tmp_path):
    state = random_state()
    lacking = {name: value for name, value in state.items() if name != "visual.blocks.1.timeattn.qkv.bias"}
    more = {**state, "text_decoder.lm_head.weight": torch.zeros(2)}
    for content, match in (
        (lacking, r"missing: visual\.blocks\.1\.timeattn\.qkv\.bias"),
        (more, r"not of this model: text_decoder\.lm_head\.weight"),
    ):
        file = write_checkpoint(tmp_path / "w.pth", content)
        with pytest.raises(InputError, match=match):
            load_encoder(f"lavila:{MODEL}={file}", **options())


def test_a_checkpoint_of_another_model_is_refused(tmp_path, file):
    refused(file, rf"the checkpoint of {MODEL}, not of CLIP_OPENAI_TIMESFORMER_LARGE", "CLIP_OPENAI_TIMESFORMER_LARGE")
    narrator = write_checkpoint(tmp_path / "n.pth", arguments={"model": "VCLM_OPENAI_TIMESFORMER_BASE_GPT2"})
    refused(narrator, r"checkpoint of VCLM_OPENAI_TIMESFORMER_BASE_GPT2, .* Models that can: CLIP_OPENAI")
    other = {name: value for name, value in random_state().items() if name != "token_embedding.weight"}
    refused(
        write_checkpoint(tmp_path / "d.pth", other),
        r"tells its sizes is missing or misshapen .*token_embedding\.weight",
    )
    refused(
        write_checkpoint(tmp_path / "p.pth", arguments={"project_embed_dim": 512}), "project_embed_dim 512.* has 32"
    )


def test_frames_of_another_size_than_the_models_are_refused(tmp_path):
    model = "CLIP_OPENAI_TIMESFORMER_LARGE_336PX"
    file = write_checkpoint(tmp_path / "w.pth", arguments={"model": model})
    refused(file, f"4 patches of 112 pixels a frame; {model} takes frames of 336 pixels", model)


def test_an_unknown_model_or_no_file_is_a_usage_error():
    with pytest.raises(UsageError, match="lavila has no model CLIP_BASE; it has CLIP_OPENAI_TIMESFORMER_BASE"):
        describe_encoder("lavila:CLIP_BASE", **options())
    with pytest.raises(UsageError, match=f"which checkpoint.*lavila:{MODEL}=FILE"):
        describe_encoder(f"lavila:{MODEL}/random", **options())


def test_a_text_longer_than_the_tower_takes_is_refused(encoder):
    with pytest.raises(InputError, match="the text tower takes 77; shorten it"):
        encoder.encode_texts(["cut " * 80])
