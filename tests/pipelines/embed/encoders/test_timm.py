from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.spec import parse_spec

SPEC = "timm:vit_tiny_patch16_224/random"


def options(**changes):
    base = {"precision": "fp32", "batch_size": 2, "device": "cpu", "offline": True, "allow_random_weights": True}
    return {**base, **changes}


def picture():
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((342, 256), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(SPEC, **options())


@pytest.fixture(scope="module")
def state():
    """Weights of vit_tiny_patch16_224 with a classifier of 10 classes, and the model."""
    torch.manual_seed(5)
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=10).eval()
    return {k: v.contiguous() for k, v in model.state_dict().items()}, model


def test_vectors_are_those_of_timm_with_its_own_transform(encoder):
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    with torch.no_grad():
        expected = model(transform(Image.fromarray(picture()))[None]).numpy()[0]
    found = encoder.embed([encoder.preprocess(picture())])[0]
    assert encoder.dim == 192
    assert encoder.logit_scale is None
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_dinov2_takes_224_pixels_after_a_resize_to_256_with_imagenet_colours():
    identity = describe_encoder("timm:vit_small_patch14_dinov2.lvd142m/random", **options())
    data = identity.provenance["preprocessing"]
    assert data["input_size"] == [3, 224, 224]
    assert round(224 / data["crop_pct"]) == 256
    assert data["interpolation"] == "bicubic"
    assert data["mean"] == pytest.approx([0.485, 0.456, 0.406])
    assert identity.slug.endswith("-224px")
    json.dumps(identity.provenance)


def test_x_mics_dinov2_is_named_by_its_own_tag_with_a_file_and_its_input_size_is_in_its_id(tmp_path):
    file = tmp_path / "dinov2.safetensors"
    file.write_bytes(b"weights")
    spec = f"timm:vit_large_patch14_dinov2.lvd142m={file}"
    identity = describe_encoder(spec, **options(allow_random_weights=False))
    assert identity.provenance["spec"] == "timm:vit_large_patch14_dinov2.lvd142m=dinov2.safetensors"
    assert identity.provenance["image_size"] == 224
    assert identity.slug.startswith("timm-vit-large-patch14-dinov2.lvd142m-dinov2.safetensors-")
    assert identity.slug.endswith("-224px")
    with torch.device("meta"):
        assert timm.create_model("vit_large_patch14_dinov2", num_classes=0, img_size=224).num_features == 1024


def test_weights_from_a_file(tmp_path, state):
    file = tmp_path / "w.safetensors"
    save_file(state[0], file)
    encoder = load_encoder(f"timm:vit_tiny_patch16_224={file}", **options(allow_random_weights=False))
    prepared = encoder.preprocess(picture())
    with torch.no_grad():
        expected = state[1].forward_head(state[1].forward_features(prepared[None]), pre_logits=True).numpy()
    np.testing.assert_allclose(encoder.embed([prepared]), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("drop", ["blocks.0.attn.qkv.weight"])
def test_a_file_that_lacks_a_weight_is_refused_though_the_classifier_is_left_out(tmp_path, state, drop):
    file = tmp_path / "w.pt"
    torch.save({name: value for name, value in state[0].items() if name != drop}, file)
    with pytest.raises(InputError, match=rf"w\.pt: not the weights of vit_tiny_patch16_224: missing: {drop}\."):
        load_encoder(f"timm:vit_tiny_patch16_224={file}", **options(allow_random_weights=False))


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    """DINOv2 ViT-S/14 read from a file of random weights at its own 518 pixels, and those weights."""
    with torch.device("meta"):
        model = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0)
    random = torch.Generator().manual_seed(0)
    state = {k: torch.randn(v.shape, generator=random) / 20 for k, v in model.state_dict().items()}
    file = tmp_path_factory.mktemp("dino") / "dinov2.safetensors"
    save_file(state, file)
    return load_encoder(f"timm:vit_small_patch14_dinov2={file}", **options(allow_random_weights=False)), state


def test_the_feature_is_the_class_token_after_the_last_norm(dino):
    encoder = dino[0]
    prepared = encoder.preprocess(picture())
    assert prepared.shape == (3, 224, 224)
    with torch.no_grad():
        tokens = encoder._forward.forward_features(prepared[None])
    np.testing.assert_allclose(encoder.embed([prepared])[0], tokens[0, 0].numpy(), rtol=1e-3, atol=1e-4)


def test_dinov2_position_embedding_of_518_pixels_is_resampled_to_224(dino):
    encoder, state = dino
    assert state["pos_embed"].shape[1] == 1 + 37 * 37
    expected = timm.layers.resample_abs_pos_embed(state["pos_embed"], [16, 16], num_prefix_tokens=1)
    np.testing.assert_allclose(encoder._forward.pos_embed.numpy(), expected.numpy(), atol=1e-6)


def test_the_feature_and_an_unknown_tag_are_named():
    dino = describe_encoder("timm:vit_small_patch14_dinov2.lvd142m/random", **options()).provenance
    assert dino["feature"] == "class token after the final norm"
    assert describe_encoder(SPEC, **options()).provenance["feature"] == "input of the classifier"
    with pytest.raises(UsageError, match=r"Invalid pretrained tag \(nope\) .* timm has vit_tiny_patch16_224\.augreg"):
        describe_encoder("timm:vit_tiny_patch16_224.nope", **options())


def test_a_vector_does_not_depend_on_how_many_follow(encoder):
    inputs = [encoder.preprocess(np.roll(picture(), shift, axis=1)) for shift in (0, 40, 80)]
    whole = encoder.embed(inputs)
    np.testing.assert_array_equal(encoder.embed(inputs[2:]), whole[2:])
    np.testing.assert_array_equal(encoder.embed(inputs[:1]), whole[:1])


def test_what_is_wrong_is_said(tmp_path, monkeypatch, encoder):
    with pytest.raises(UsageError, match=r"timm has no model vit_tny_patch16_224\. Near: "):
        describe_encoder("timm:vit_tny_patch16_224/random", **options())
    broken = tmp_path / "w.safetensors"
    save_file({"nothing": torch.zeros(1)}, broken)
    with pytest.raises(InputError, match=r"w\.safetensors: not the weights of vit_tiny_patch16_224"):
        load_encoder(f"timm:vit_tiny_patch16_224={broken}", **options())
    monkeypatch.setattr("pipelines.embed.encoders.hub_files.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(
        MissingUpstream, match=r"run: xmic fetch timm:vit_large_patch14_dinov2\.lvd142m; then copy models--timm--vit"
    ):
        describe_encoder("timm:vit_large_patch14_dinov2.lvd142m", **options())
    with pytest.raises(UsageError, match="no text tower: embed it with --no-text"):
        encoder.encode_texts(["cut"])


def other_names(state, variant):
    """DINOv2 weights as its authors publish them, with and without registers."""
    if variant == "reg4":
        state = {("register_tokens" if name == "reg_token" else name): value for name, value in state.items()}
        state["pos_embed"] = torch.cat([torch.zeros(1, 1, 384), state["pos_embed"]], 1)
    return {**state, "mask_token": torch.zeros(1, 384)}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("vit_small_patch14_reg4_dinov2", "vit_small_patch14_dinov2"),
        ("vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"),
        ("vit_small_patch14_dinov2", "vit_base_patch14_dinov2"),
    ],
)
def test_weights_of_another_variant_are_refused_with_the_name_that_they_fit(tmp_path, given, named):
    with torch.device("meta"):
        model = timm.create_model(given, pretrained=False, num_classes=0)
    state = {name: torch.zeros(value.shape) for name, value in model.state_dict().items()}
    torch.save(other_names(state, "reg4" if "reg4" in given else ""), tmp_path / "w.pth")
    with pytest.raises(InputError, match=rf"w\.pth: not the weights of {named}: .*they fit .*{given}|They fit {given}"):
        load_encoder(f"timm:{named}={tmp_path}/w.pth", **options(allow_random_weights=False))


def test_timms_own_repositories_are_models_of_timm():
    assert parse_spec("timm:hf-hub:timm/vit_small_patch14_dinov2.lvd142m").model == "vit_small_patch14_dinov2.lvd142m"
    with pytest.raises(UsageError, match=r"read for open_clip, and for timm's own repositories"):
        parse_spec("timm:hf-hub:someone/dino")
