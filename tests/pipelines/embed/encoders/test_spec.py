from __future__ import annotations

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.embed.encoders import describe_encoder
from pipelines.embed.encoders.spec import ModelSpec, parse_spec, refuse_random

OPTIONS = {"precision": "fp32", "batch_size": 2, "device": "cpu", "offline": True}


def test_the_two_forms(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    assert parse_spec("open_clip:ViT-B-16/openai") == ModelSpec("open_clip", "ViT-B-16", "openai")
    assert parse_spec(f"open_clip:ViT-B-16={weights}") == ModelSpec("open_clip", "ViT-B-16", None, weights)
    assert parse_spec("timm:vit_large_patch14_dinov2.lvd142m").model == "vit_large_patch14_dinov2.lvd142m"


def test_a_model_configuration_may_lie_in_any_folder(tmp_path):
    config = tmp_path / "deep" / "tiny.json"
    config.parent.mkdir()
    config.write_text("{}")
    assert parse_spec(f"open_clip:{config}/random") == ModelSpec("open_clip", str(config), "random")
    assert parse_spec(f"open_clip:{config}").tag is None
    with pytest.raises(InputError, match=r"none\.json is not there; expected an open_clip model configuration"):
        parse_spec("open_clip:none.json/random")


def test_what_is_recorded_names_no_folder(tmp_path):
    config = tmp_path / "tiny.json"
    config.write_text("{}")
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    assert parse_spec(f"open_clip:{config}={weights}").text == "open_clip:tiny.json=w.safetensors"
    assert parse_spec(f"open_clip:{config}/random").slug("abcdef0123") == "open-clip-tiny-random-abcdef01"


def test_where_its_files_lie_can_be_said_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "tiny.json").write_text("{}")
    (tmp_path / "w.safetensors").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    located = parse_spec("open_clip:tiny.json=w.safetensors").located
    assert located == f"open_clip:{tmp_path}/tiny.json={tmp_path}/w.safetensors"
    assert parse_spec(located).located == located
    assert parse_spec("open_clip:tiny.json/random").located == f"open_clip:{tmp_path}/tiny.json/random"
    for plain in ("open_clip:ViT-B-16/openai", "pocket", "mine.encoders:Class"):
        assert parse_spec(plain).located == parse_spec(plain).text == plain


def test_wrong_forms_are_explained():
    for wrong in ("ViT-B-16", "open_clip:", ":x"):
        with pytest.raises(UsageError, match="expected FAMILY:MODEL/TAG .* FAMILY:MODEL=FILE .*, or pocket"):
            parse_spec(wrong)
    with pytest.raises(InputError, match=r"gone\.pt is not there"):
        parse_spec("open_clip:ViT-B-16=gone.pt")


def test_random_weights_need_the_flag():
    with pytest.raises(UsageError, match="random weights give numbers that mean nothing.*--allow-random-weights"):
        refuse_random(parse_spec("open_clip:ViT-B-16/random"), False)
    refuse_random(parse_spec("open_clip:ViT-B-16/random"), True)


def test_an_unknown_family_comes_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no encoder family 'open_clp'. Did you mean 'open_clip'\?"):
        describe_encoder("open_clp:ViT-B-16/openai", **OPTIONS)


def test_pocket_stands_for_the_packaged_files_and_is_recorded_by_that_name():
    spec = parse_spec("pocket")
    assert spec.family == "open_clip"
    assert spec.file is not None
    assert spec.file.is_file()
    assert spec.text == "pocket"
    assert spec.slug("abcdef0123") == "pocket-abcdef01"


@pytest.mark.parametrize(
    ("spec", "device", "size"),
    [
        ("pocket", "cpu", 64),
        ("open_clip:ViT-B-16/random", "cpu", 16),
        ("open_clip:RN50/random", "cpu", 16),
        ("timm:vit_tiny_patch16_224/random", "cpu", 16),
        ("pocket", "cuda", 256),
        ("open_clip:ViT-B-16/random", "cuda", 64),
    ],
)
def test_without_a_batch_size_small_encoders_take_more_pictures_at_once_than_large_ones(spec, device, size):
    options = {**OPTIONS, "batch_size": None, "device": device, "allow_random_weights": True}
    assert describe_encoder(spec, **options).environment["batch_shape"][0] == size
    assert describe_encoder(spec, **{**options, "batch_size": 5}).environment["batch_shape"][0] == 5


def test_a_users_own_encoder_that_names_no_batch_size_gets_one(tmp_path, monkeypatch):
    (tmp_path / "own_encoder.py").write_text(
        "class Mine:\n    @classmethod\n    def describe(cls, spec, options):\n        return options.batch_size\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert describe_encoder("own_encoder:Mine", **{**OPTIONS, "batch_size": None}) == 16
