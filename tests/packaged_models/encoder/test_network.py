from __future__ import annotations

import json
from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer

from packaged_models.encoder.network import CONFIG, Tokens, make_network, text_vectors, weight_groups, write_config


def test_texts_cut_behind_the_longest_give_the_vectors_of_all_77_tokens() -> None:
    torch.manual_seed(0)
    network = make_network(0.0).eval()
    texts = ["cup", "a photo of a frying pan", "someone is picking up a carrot"]
    tokens = Tokens().of(texts)
    assert tokens.shape == (3, 8)
    with torch.no_grad():
        whole = network.encode_text(SimpleTokenizer()(texts))
        assert torch.allclose(text_vectors(network, tokens), whole, atol=1e-5)


def test_every_parameter_is_in_one_group_and_only_matrices_decay() -> None:
    network = make_network(0.5)
    decayed, others = weight_groups(network, 0.1)
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    ids = [id(parameter) for group in (decayed, others) for parameter in group["params"]]
    assert sorted(ids) == sorted(id(parameter) for parameter in network.parameters())
    assert id(network.token_embedding.weight) in {id(parameter) for parameter in others["params"]}
    assert all(parameter.ndim >= 2 for parameter in decayed["params"])


def test_float16_weights_stay_below_20_megabytes() -> None:
    assert 2 * sum(parameter.numel() for parameter in make_network(0.5).parameters()) < 20e6


def test_the_configuration_is_written_in_open_clips_form(tmp_path: Path) -> None:
    write_config(tmp_path / "pocket.json")
    written = json.loads((tmp_path / "pocket.json").read_text())
    assert written["model_cfg"] == CONFIG
    assert set(written["preprocess_cfg"]) == {"mean", "std", "interpolation", "resize_mode"}
