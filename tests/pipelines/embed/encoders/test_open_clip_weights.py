from __future__ import annotations

import json
from functools import partial

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.encoders import describe_encoder, hub_files, load_encoder, openai_files
from pipelines.embed.encoders.open_clip_sizes import models_of
from pipelines.engine.digest import whole_file_sha256
from tests.pipelines.embed.encoders.tiny_clip import SPEC, TINY, config_at, options


def test_a_model_of_the_hub_is_read_from_the_cache_and_never_asked_for_offline(tmp_path, monkeypatch):
    tower = load_encoder(SPEC, **options())
    folder = tmp_path / "models--o--r" / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text("1")
    snapshot_at(folder, tower._model.state_dict())
    monkeypatch.setattr(hub_files.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(
        hub_files, "try_to_load_from_cache", partial(hub_files.try_to_load_from_cache, cache_dir=tmp_path)
    )
    for spec in ("open_clip:hf-hub:o/r", "hf-hub:o/r"):
        assert describe_encoder(spec, **options()).provenance["spec"] == "open_clip:hf-hub:o/r"
        found = load_encoder(spec, **options(allow_random_weights=False))
        np.testing.assert_array_equal(found.encode_texts(["cut"]), tower.encode_texts(["cut"]))
    with pytest.raises(MissingUpstream, match=r"hf-hub:o/other: its weights \(open_clip_config.json of o/other\)"):
        describe_encoder("hf-hub:o/other", **options())
    with pytest.raises(UsageError, match="expected hf-hub:OWNER/NAME"):
        describe_encoder("open_clip:hf-hub:o/r/openai", **options())


def snapshot_at(folder, state):
    """A folder as open_clip pushes one to the hub."""
    content = {"model_cfg": json.loads(TINY.read_text()), "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "open_clip_model.safetensors")
    return folder


def test_a_snapshot_folder_is_its_configuration_and_weights(tiny, tmp_path, pictures):
    folder = snapshot_at(tmp_path, tiny._model.state_dict())
    expected = describe_encoder(
        f"open_clip:{folder}/open_clip_config.json={folder}/open_clip_model.safetensors", **options()
    )
    for spec in (f"open_clip:{folder}", f"open_clip:local-dir:{folder}", f"local-dir:{folder}"):
        assert describe_encoder(spec, **options()) == expected
        assert describe_encoder(spec, **options()).provenance["preprocessing"]["mean"] == [0.5] * 3
        np.testing.assert_array_equal(load_encoder(spec, **options()).encode_texts(["cut"]), tiny.encode_texts(["cut"]))


def test_a_folder_of_another_library_is_refused_with_the_form_that_works(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError) as error:
        describe_encoder(f"open_clip:{tmp_path}", **options())
    assert f"holds config.json, model.safetensors; expected open_clip's {'open_clip_config.json'}" in str(error.value)
    assert f"their file: open_clip:MODEL={tmp_path}/model.safetensors" in str(error.value)
    with pytest.raises(InputError, match="is not a folder"):
        describe_encoder(f"local-dir:{tmp_path}/no", **options())


def openai_archive(tmp_path, monkeypatch, tiny):
    """A TorchScript archive as OpenAI's are, and known as if it were one."""

    class Holder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("input_resolution", "context_length", "vocab_size"):
                self.register_buffer(name, torch.tensor(1))
            self.logit_scale = torch.nn.Parameter(torch.tensor(0.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.logit_scale

    file = tmp_path / "ViT-B-16.pt"
    holder = Holder()
    for name, value in tiny._model.state_dict().items():
        *path, last = name.split(".")
        place = holder
        for part in path:
            if not hasattr(place, part):
                place.add_module(part, torch.nn.Module())
            place = getattr(place, part)
        place.register_buffer(last, value.clone()) if last != "logit_scale" else holder.logit_scale.data.copy_(value)
    torch.jit.save(torch.jit.script(holder), str(file))
    return file


@pytest.mark.filterwarnings("ignore")
def test_a_published_archive_is_read_and_has_quickgelu_whatever_the_model_is_called(tiny, tmp_path, monkeypatch):
    plain = config_at(tmp_path / "tiny.json", quick_gelu=False)
    file = openai_archive(tmp_path, monkeypatch, tiny)
    with pytest.raises(InputError, match=r"a TorchScript archive, which is a program"):
        load_encoder(f"open_clip:{plain}={file}", **options())
    monkeypatch.setitem(openai_files.PUBLISHED, "tiny", whole_file_sha256(file))
    identity = describe_encoder(f"open_clip:{plain}={file}", **options())
    assert identity.provenance["quick_gelu"] is True
    loaded = load_encoder(f"open_clip:{plain}={file}", **options())
    np.testing.assert_array_equal(loaded.encode_texts(["cut"]), tiny.encode_texts(["cut"]))
    other = config_at(tmp_path / "other.json", quick_gelu=False)
    with pytest.raises(UsageError, match=r"is OpenAI's tiny \(sha256 .*Name it so: open_clip:tiny="):
        describe_encoder(f"open_clip:{other}={file}", **options())


def test_openais_tensors_under_a_name_without_quickgelu_are_refused(tiny, tmp_path):
    plain = config_at(tmp_path / "tiny.json", quick_gelu=False)
    state = {name: value.half() for name, value in tiny._model.state_dict().items()}
    state |= {"input_resolution": torch.tensor(224), "context_length": torch.tensor(77), "vocab_size": torch.tensor(1)}
    torch.save(state, tmp_path / "openai.pt")
    with pytest.raises(InputError, match=r"OpenAI's own weights .*Name open_clip:tiny-quickgelu="):
        load_encoder(f"open_clip:{plain}={tmp_path}/openai.pt", **options())
    load_encoder(f"open_clip:{TINY}={tmp_path}/openai.pt", **options())


def test_the_published_files_are_those_of_open_clips_own_addresses():
    for model, sha256 in openai_files.PUBLISHED.items():
        assert sha256 in open_clip.pretrained.get_pretrained_cfg(model, "openai")["url"]
    assert set(openai_files.PUBLISHED) == {
        name for name in open_clip.list_pretrained_models_by_tag("openai") if not name.endswith("-quickgelu")
    }


def test_the_offline_message_names_the_model_that_the_tag_is(monkeypatch):
    monkeypatch.setattr(hub_files, "try_to_load_from_cache", lambda *_: None)
    with pytest.raises(MissingUpstream, match=r"or name the file: open_clip:ViT-B-16-quickgelu=FILE"):
        describe_encoder("open_clip:ViT-B-16/openai", **options())
    with pytest.raises(MissingUpstream, match=r"or name the file: open_clip:ViT-B-16=FILE"):
        describe_encoder("open_clip:ViT-B-16/laion2b_s34b_b88k", **options())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"visual.proj": float("nan")}, r"not finite: visual\.proj\. Expected numbers"),
        ({"logit_scale": 100.0}, r"its logit_scale is 100; expected the logarithm .* such as 4\.605 for 100"),
        ({"logit_scale": float("nan")}, r"its logit_scale is nan"),
        ({"visual.proj": 0.0}, "a network with these weights gives zeros"),
        ({"visual.conv1.weight": 0.0}, "gives the same vector for unlike pictures"),
    ],
)
def test_weights_that_can_give_nothing_are_refused(tiny, tmp_path, changes, said):
    state = {name: value.clone() for name, value in tiny._model.state_dict().items()}
    for name, value in changes.items():
        state[name].fill_(value)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=said):
        load_encoder(f"open_clip:{TINY}={tmp_path}/w.safetensors", **options())


def test_a_text_tower_that_gives_zeros_is_refused(tiny, tmp_path):
    state = {name: value.clone() for name, value in tiny._model.state_dict().items()}
    state["text_projection"].zero_()
    save_file(state, tmp_path / "w.safetensors")
    loaded = load_encoder(f"open_clip:{TINY}={tmp_path}/w.safetensors", **options())
    with pytest.raises(InputError, match="text tower gives zeros"):
        loaded.encode_texts(["cut"])


def test_weights_of_another_model_end_with_the_names_that_they_fit(tmp_path):
    with torch.device("meta"):
        large = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32")).state_dict()
    fits = models_of(large)
    assert "ViT-B-32" in fits
    assert "ViT-B-32-quickgelu" in fits
    assert "ViT-B-16" not in fits
    save_file({name: torch.zeros(value.shape) for name, value in large.items()}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"Name the model these weights were made for; they fit .*ViT-B-32"):
        load_encoder(f"open_clip:{TINY}={tmp_path}/w.safetensors", **options())
