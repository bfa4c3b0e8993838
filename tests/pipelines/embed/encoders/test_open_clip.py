from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.open_clip_config import _pretrained_file
from pipelines.embed.encoders.spec import parse_spec
from pipelines.engine.digest import whole_file_sha256
from tests.pipelines.embed.encoders.tiny_clip import SPEC, TINY, config_at, options


def cosine(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_vectors_are_those_of_open_clip_with_its_own_transform(tiny, pictures):
    open_clip.add_model_config(TINY)
    torch.manual_seed(0)
    model = open_clip.create_model(TINY.stem, pretrained=None, load_weights=False).eval()
    transform = open_clip.image_transform(
        224, is_train=False, mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD
    )
    with torch.no_grad():
        expected = model.encode_image(torch.stack([transform(Image.fromarray(p)) for p in pictures])).numpy()
    found = tiny.embed([tiny.preprocess(picture) for picture in pictures])
    assert found.shape == (5, 64)
    assert cosine(found, expected).min() >= 0.99999
    # Raw, as the projection gives them.
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-4)


def test_a_vector_does_not_depend_on_what_else_is_in_the_call(tiny, pictures):
    inputs = [tiny.preprocess(picture) for picture in pictures]
    whole = tiny.embed(inputs)
    np.testing.assert_array_equal(tiny.embed(inputs[:1])[0], whole[0])
    np.testing.assert_array_equal(tiny.embed(inputs[4:]), whole[4:])
    assert tiny.embed([]).shape == (0, 64)


def test_bf16_is_close_to_fp32(tiny, pictures):
    half = load_encoder(SPEC, **options(precision="bf16"))
    inputs = [tiny.preprocess(picture) for picture in pictures]
    assert cosine(half.embed(inputs), tiny.embed(inputs)).min() > 0.999


def test_text_vectors_are_raw_and_in_fp32_whatever_the_precision(tiny):
    half = load_encoder(SPEC, **options(precision="bf16"))
    texts = ["cut", "chopping board"]
    np.testing.assert_array_equal(half.encode_texts(texts), tiny.encode_texts(texts))
    assert tiny.encode_texts(texts).dtype == np.float32
    assert tiny.encode_texts([]).shape == (0, 64)
    assert tiny.logit_scale == pytest.approx(1 / 0.07)


def test_a_class_name_that_would_be_cut_is_refused(tiny):
    with pytest.raises(InputError, match="82 tokens, the text tower takes 77; shorten it"):
        tiny.encode_texts(["cup " * 80])


def test_planning_agrees_with_loading_and_says_the_weights_are_random(tiny):
    identity = describe_encoder(SPEC, **options())
    assert identity.slug.startswith("open-clip-tiny-clip-random-")
    assert identity.provenance["random_weights"] is True
    assert identity.provenance["normalised"] is False
    assert identity.provenance["quick_gelu"] is True
    assert identity.provenance["spec"] == "open_clip:tiny-clip.json/random"
    assert identity.environment["batch_shape"] == [4, 3, 224, 224]
    with pytest.raises(UsageError, match="--allow-random-weights"):
        describe_encoder(SPEC, **options(allow_random_weights=False))
    again = load_encoder(SPEC, **options())
    np.testing.assert_array_equal(again.encode_texts(["cut"]), tiny.encode_texts(["cut"]))


def test_weights_from_a_file_are_those_and_named_by_their_hash(tiny, tmp_path, pictures):
    file = tmp_path / "mine.safetensors"
    save_file({k: v.contiguous() for k, v in tiny._model.state_dict().items()}, file)
    spec = f"open_clip:{TINY}={file}"
    loaded = load_encoder(spec, **options(allow_random_weights=False))
    inputs = [tiny.preprocess(picture) for picture in pictures]
    np.testing.assert_array_equal(loaded.embed(inputs), tiny.embed(inputs))
    identity = describe_encoder(spec, **options(allow_random_weights=False))
    from pipelines.engine.digest import whole_file_sha256

    assert identity.provenance["weights_sha256"] == whole_file_sha256(file)
    assert identity.slug.endswith(whole_file_sha256(file)[:8])
    assert identity.provenance["random_weights"] is False


def test_a_file_of_other_weights_is_refused_with_what_does_not_fit(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"logit_scale": torch.zeros(()), "nothing": torch.zeros(3)}, file)
    with pytest.raises(
        InputError, match=r"other\.safetensors: not the weights of tiny-clip: missing: .*; not of .*: nothing"
    ):
        load_encoder(f"open_clip:{TINY}={file}", **options())


def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (trace,))

    file = tmp_path / "evil.pt"
    torch.save({"state_dict": Evil()}, file)
    with pytest.raises(InputError, match=r"evil\.pt: not readable as plain weights"):
        load_encoder(f"open_clip:{TINY}={file}", **options())
    assert not trace.exists()


def test_weights_of_another_input_size_are_refused_not_resampled(tiny, tmp_path):
    file = tmp_path / "larger.safetensors"
    state = {k: v.contiguous() for k, v in tiny._model.state_dict().items()}
    save_file({**state, "visual.positional_embedding": torch.zeros(65, 64)}, file)
    with pytest.raises(InputError, match=r"another shape: visual.positional_embedding \[65, 64\] for \[50, 64\]"):
        load_encoder(f"open_clip:{TINY}={file}", **options())


def test_preprocessing_is_bit_for_bit_open_clips(tiny, pictures):
    transform = open_clip.image_transform(224, is_train=False)
    for picture in pictures:
        assert torch.equal(tiny.preprocess(picture), transform(Image.fromarray(picture)))


def test_a_configuration_does_not_stand_in_for_the_named_model_of_its_name(tmp_path):
    mine = config_at(tmp_path / "ViT-B-16.json")
    assert load_encoder(f"open_clip:{mine}/random", **options()).dim == 64
    named = describe_encoder("open_clip:ViT-B-16/random", **options()).provenance
    assert (
        named["model_config_sha256"]
        != describe_encoder(f"open_clip:{mine}/random", **options()).provenance["model_config_sha256"]
    )
    assert open_clip.get_model_config("ViT-B-16")["embed_dim"] == 512


def test_the_same_weights_under_another_configuration_are_another_encoder(tiny, tmp_path):
    file = tmp_path / "w.safetensors"
    save_file({k: v.contiguous() for k, v in tiny._model.state_dict().items()}, file)
    vision = json.loads(TINY.read_text())["vision_cfg"]
    found = [
        describe_encoder(f"open_clip:{config_at(tmp_path / name, **changes)}={file}", **options())
        for name, changes in (("a.json", {}), ("b.json", {"vision_cfg": {**vision, "head_width": 16}}))
    ]
    assert found[0].provenance["weights_sha256"] == found[1].provenance["weights_sha256"]
    assert found[0].provenance["model_config_sha256"] != found[1].provenance["model_config_sha256"]


def test_a_configuration_may_bring_its_preprocessing(tmp_path):
    content = {
        "model_cfg": json.loads(TINY.read_text()),
        "preprocess_cfg": {"mean": [0.5] * 3, "resize_mode": "squash"},
    }
    path = tmp_path / "own.json"
    path.write_text(json.dumps(content))
    found = describe_encoder(f"open_clip:{path}/random", **options()).provenance["preprocessing"]
    assert (found["mean"], found["resize_mode"], found["interpolation"]) == ([0.5] * 3, "squash", "bicubic")


def test_a_file_for_a_model_whose_published_weights_disagree_in_preprocessing_is_refused(tmp_path):
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"x")
    with pytest.raises(UsageError, match="published weights of ViT-L-14 differ in preprocessing .* -quickgelu model"):
        describe_encoder(f"open_clip:ViT-L-14={file}", **options())
    openai = describe_encoder(f"open_clip:ViT-L-14-quickgelu={file}", **options()).provenance
    assert openai["preprocessing"]["mean"] == pytest.approx([0.48145466, 0.4578275, 0.40821073])
    assert openai["quick_gelu"] is True
    siglip = describe_encoder(f"open_clip:ViT-B-16-SigLIP={file}", **options()).provenance["preprocessing"]
    assert (siglip["mean"], siglip["resize_mode"]) == ([0.5] * 3, "squash")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "not JSON"),
        ("[]", "has no embed_dim, vision_cfg, text_cfg"),
        ('{"embed_dim": 3}', "no vision_cfg, text_cfg"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content, text):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=text):
        describe_encoder(f"open_clip:{path}/random", **options())


def test_a_configuration_open_clip_cannot_build_is_refused(tmp_path):
    path = config_at(tmp_path / "x.json", colour="blue")
    with pytest.raises(InputError, match=r"x\.json/random: open_clip cannot build this configuration .*colour"):
        load_encoder(f"open_clip:{path}/random", **options())


def test_vit_l_14_gives_768_values_by_name_and_by_configuration(tmp_path, pictures):
    assert open_clip.get_model_config("ViT-L-14")["embed_dim"] == 768
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"weights")
    identity = describe_encoder(f"open_clip:ViT-L-14-quickgelu={file}", **options())
    assert identity.slug.startswith("open-clip-vit-l-14-quickgelu-w.safetensors-")
    assert (identity.provenance["image_size"], identity.clips) == (224, False)
    wide = load_encoder(f"open_clip:{config_at(tmp_path / 'l.json', embed_dim=768)}/random", **options())
    assert wide.dim == 768
    assert wide.embed([wide.preprocess(pictures[0])]).shape == wide.encode_texts(["cut"]).shape == (1, 768)


def test_a_vocabulary_smaller_than_the_tokenizers_is_refused(tmp_path):
    text = {**json.loads(TINY.read_text())["text_cfg"], "vocab_size": 100}
    encoder = load_encoder(f"open_clip:{config_at(tmp_path / 'x.json', text_cfg=text)}/random", **options())
    with pytest.raises(InputError, match="its vocabulary has 100 entries, open_clip's tokenizer 49408"):
        encoder.encode_texts(["cut"])


def test_a_tokenizer_of_the_hub_is_asked_for_only_when_a_text_is_embedded(tmp_path, pictures):
    text = {**json.loads(TINY.read_text())["text_cfg"], "hf_tokenizer_name": str(tmp_path / "none")}
    spec = f"open_clip:{config_at(tmp_path / 'x.json', text_cfg=text)}/random"
    encoder = load_encoder(spec, **options())
    assert encoder.embed([encoder.preprocess(pictures[0])]).shape == (1, 64)
    with pytest.raises(InputError, match="its tokenizer .*none cannot be loaded .* or embed pictures only: --no-text"):
        encoder.encode_texts(["cut"])


def test_a_text_vector_does_not_depend_on_the_texts_beside_it(tiny):
    texts = [f"cut {number}" for number in range(70)]
    np.testing.assert_array_equal(tiny.encode_texts(texts)[66], tiny.encode_texts(["", texts[66]])[1])


def test_loading_leaves_the_random_state_alone_and_prints_nothing(capfd, caplog):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    load_encoder(SPEC, **options())
    assert torch.equal(torch.rand(1), expected)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_unknown_models_tags_and_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"open_clip has no model ViT-B-17\. Near: .*ViT-B-16"):
        describe_encoder("open_clip:ViT-B-17/openai", **options())
    with pytest.raises(UsageError, match=r"has no tag opnai for ViT-B-16; it has openai"):
        describe_encoder("open_clip:ViT-B-16/opnai", **options())
    with pytest.raises(UsageError, match=r"which weights\? Name a tag"):
        describe_encoder("open_clip:ViT-B-16", **options())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        MissingUpstream, match=r"open_clip:ViT-B-16/openai: its weights .* --offline forbids the network"
    ):
        describe_encoder("open_clip:ViT-B-16/openai", **options())


def test_openai_weights_have_quick_gelu_and_are_found_in_the_hub_cache(tmp_path, monkeypatch):
    file = tmp_path / "cached.safetensors"
    file.write_bytes(b"weights")
    asked = []

    def cached(repository, name):
        asked.append((repository, name))
        return str(file) if name.endswith(".safetensors") else None

    monkeypatch.setattr("pipelines.embed.encoders.hub_files.try_to_load_from_cache", cached)
    identity = describe_encoder("open_clip:ViT-B-16/openai", **options())
    assert asked == [("timm/vit_base_patch16_clip_224.openai", "open_clip_model.safetensors")]
    assert identity.provenance["quick_gelu"] is True
    assert identity.provenance["preprocessing"]["mean"] == pytest.approx([0.48145466, 0.4578275, 0.40821073])
    assert identity.slug.startswith("open-clip-vit-b-16-openai-")
    json.dumps([identity.provenance, identity.text_provenance])


def test_the_packaged_weights_are_those_that_the_docs_name():
    file = parse_spec("pocket").file
    assert whole_file_sha256(file) == "979083af69071f2d06ac351bfa9afd8b34af8475d4cb2fe3500a322c24e9942b"
    assert file.stat().st_size < 20e6
    page = (Path(__file__).parents[4] / "docs" / "pocket.md").read_text(encoding="utf-8")
    assert "979083af" in page


def test_weights_at_an_address_of_their_own_say_what_to_do_where_they_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    spec, tag = parse_spec("open_clip:RN50/yfcc15m"), {"url": "http://127.0.0.1:9/weights.pt"}
    with pytest.raises(
        MissingUpstream, match=r"--offline forbids the network.*run: xmic fetch open_clip:RN50/yfcc15m;"
    ):
        _pretrained_file(tag, spec, offline=True)
    with pytest.raises(
        MissingUpstream, match=r"127\.0\.0\.1:9/weights\.pt could not be fetched .*xmic fetch open_clip"
    ):
        _pretrained_file(tag, spec, offline=False)
