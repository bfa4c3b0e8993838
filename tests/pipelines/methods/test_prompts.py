from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_manifests.errors import InputError, Interrupted, UsageError
from pipelines.methods import load_method, prompts
from pipelines.methods.base import Method, TextBank, build_method, resolve_config
from pipelines.methods.prompts import PromptConfig, TextCache, automatic_chunk, context_start, encode_prompts, lay_out
from pipelines.methods.recipe import Recipe
from tests.pipelines.methods.tiny_tower import (
    DIM,
    LAYERS,
    TEXTS,
    WIDTH,
    bank,
    network,
    shared_network,
    single_backbone,
    tower,
)
from tests.pipelines.train.loop_world import SEGMENTS, files, stop_before_step, train, world

LEARNERS = ["coop", "cocoop", "a5", "a6"]
RECIPE = Recipe(epochs=2, batch=16, lr=2e-3, warmup_epochs=1)


def tables(count: int = 3, rows: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, rows, WIDTH, generator=generator, dtype=torch.float64).requires_grad_()


def learner(name: str, seed: int = 0, **overrides: Any) -> Method:
    """With a text tower of its own, so that what is frozen can be looked at."""
    own = {"segments": SEGMENTS, "heads": 2, "contrast_classes": 3} if name in ("a5", "a6") else {}
    config = resolve_config(load_method(name), "official", {**own, **overrides}).config
    return build_method(load_method(name), config, single_backbone(), seed)


def train_learner(folder: Path, method: Method, **options: Any) -> None:
    data, text = world()
    train(folder, method, data=data, text=replace(text, texts=TEXTS), recipe=RECIPE, **options)


def test_learned_vectors_stand_between_start_and_class_name() -> None:
    laid = lay_out(tower(), bank(["egg", "open jar"]), 2, full_stop=True)
    words = shared_network().token_embedding
    assert laid.rows.tolist() == [[-1, 0, 1, -1, -1, -1, -1], [-1, 0, 1, -1, -1, -1, -1]]
    expected = tower().tokens(["egg.", "open jar."])
    assert laid.eot.tolist() == [5, 6]
    filled = laid.filled(tables(), torch.tensor([2, 0]), torch.tensor([0, 1]))
    for index, table in enumerate((2, 0)):
        assert torch.equal(filled[index, 0], words(expected[index, 0]))  # type: ignore[operator]
        assert torch.equal(filled[index, 1:3], tables()[table])
        assert torch.equal(filled[index, 3:], words(expected[index, 1:]))  # type: ignore[operator]


def test_rows_by_position_depend_on_the_length_of_the_class_name() -> None:
    laid = lay_out(tower(), bank(["egg", "wash the jar"]), 16, 16, full_stop=False, by_position=True)
    for index, (length, behind) in enumerate([(1, range(18, 34)), (3, range(20, 36))]):
        rows = laid.rows[index]
        assert rows[rows >= 0].tolist() == [*range(1, 17), *behind]
        assert rows[17 : 17 + length].tolist() == [-1] * length
        assert laid.eot[index] == 16 + (1 + length) + 16


@pytest.mark.parametrize("checkpointing", ["off", "on"])
@pytest.mark.parametrize("chunk", [1, 4, 7, 100])
def test_pieces_and_computing_again_change_neither_vectors_nor_gradients(chunk: int, checkpointing: Any) -> None:
    laid, weights = lay_out(tower(), bank(), 2, full_stop=True), torch.randn(3, len(TEXTS), DIM, dtype=torch.float64)
    results = []
    for size, again in ((100, "off"), (chunk, checkpointing)):
        learned = tables()
        vectors = encode_prompts(tower(), laid, learned, class_chunk=size, checkpointing=again)
        results.append((vectors, torch.autograd.grad((vectors * weights).sum(), learned)[0]))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_each_table_meets_each_class() -> None:
    laid = lay_out(tower(), bank(), 2, full_stop=False)
    together = encode_prompts(tower(), laid, tables(), class_chunk=5, checkpointing="off")
    for index, table in enumerate(tables()):
        alone = encode_prompts(tower(), laid, table[None], class_chunk=0, checkpointing="off")[0]
        torch.testing.assert_close(together[index], alone, rtol=1e-12, atol=1e-12)


def kept_bytes(count: int, **options: Any) -> int:
    """Activations that stay for the way back."""
    frozen = {p.untyped_storage().data_ptr() for p in shared_network().parameters()}
    kept = {}
    held = []

    def pack(x: Tensor) -> Tensor:
        if x.untyped_storage().data_ptr() not in frozen:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            held.append(x)
        return x

    laid = lay_out(tower(), bank(), 2, full_stop=True)
    learned = tables(count)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        encode_prompts(tower(), laid, learned, **options)
    return sum(kept.values())


def test_memory_stays_bounded_when_pieces_are_computed_again() -> None:
    sequence = 8 * prompts._FLOATS_PER_TOKEN * LAYERS * 9 * WIDTH
    everything, again = (kept_bytes(20, class_chunk=4, checkpointing=c) for c in ("off", "on"))
    assert everything > 20 * len(TEXTS) * 8 * 9 * LAYERS * 9 * WIDTH
    assert everything < 20 * len(TEXTS) * sequence
    assert again < 4 * sequence


@pytest.mark.parametrize(("budget", "pieces"), [(2**30, 0), (4 * 16 * LAYERS * 9 * WIDTH * 4, 5)])
def test_auto_computes_again_only_what_does_not_fit(monkeypatch: Any, budget: int, pieces: int) -> None:
    called = []

    def counted(function: Any, *args: Any, **options: Any) -> Tensor:
        called.append(args[1])
        return torch.utils.checkpoint.checkpoint(function, *args, **options)

    monkeypatch.setattr(prompts, "checkpoint", counted)
    monkeypatch.setattr(prompts, "_BUDGET", budget)
    laid = lay_out(tower(), bank(), 2, full_stop=True)
    assert int(laid.eot.max()) + 1 == 9
    encode_prompts(tower(), laid, tables(), class_chunk=0, checkpointing="auto")
    assert len(called) == pieces
    with torch.no_grad():
        encode_prompts(tower(), laid, tables(), class_chunk=0, checkpointing="auto")
    assert len(called) == pieces


def test_at_least_one_sequence_goes_at_a_time(monkeypatch: Any) -> None:
    monkeypatch.setattr(prompts, "_BUDGET", 1)
    assert automatic_chunk(tower(), 77) == 1


def test_what_an_evaluation_laid_out_can_be_trained_on() -> None:
    with torch.inference_mode():
        laid = lay_out(tower(), bank(), 2, full_stop=True)
    encode_prompts(tower(), laid, tables(), class_chunk=0, checkpointing="on").sum().backward()


def test_classes_without_bare_texts_are_refused() -> None:
    text = TextBank(torch.zeros(2, DIM), 1.0, ["a", "b"])
    with pytest.raises(InputError, match="without their bare texts.* Use the prompt {} and the official or fixed"):
        lay_out(tower(), text, 2, full_stop=True)


def test_a_context_starts_from_words_or_at_random() -> None:
    ids = tower().tokens(["a photo of a"])[0, 1:-1]
    words = shared_network().token_embedding(ids)  # type: ignore[operator]
    assert torch.equal(context_start(tower(), "coop", 4, "a photo of a"), words.float())
    torch.manual_seed(0)
    assert context_start(tower(), "coop", 4000, "").std().item() == pytest.approx(0.02, rel=0.02)
    with pytest.raises(UsageError, match=r"coop: ctx_init='a photo' has 2 tokens and context=4: set context=2"):
        context_start(tower(), "coop", 4, "a photo")


def test_what_is_made_of_a_bank_is_made_once_for_the_same_bank_and_state() -> None:
    made = []
    held = TextCache(lambda text: made.append(text) or len(made))
    first, equal = bank(), bank()
    assert [held.of(first, 0), held.of(first, 0), held.of(first, 1), held.of(equal, 1)] == [1, 1, 2, 3]


def test_a_negative_chunk_is_refused() -> None:
    with pytest.raises(UsageError, match="class_chunk=-1: expected 0"):
        PromptConfig(class_chunk=-1)


@pytest.mark.parametrize("name", LEARNERS)
def test_training_leaves_the_tower_as_it_was_and_saves_what_is_learned_only(name: str, tmp_path: Path) -> None:
    method = learner(name)
    frozen = network(seed=0).float().state_dict()
    before = {key: tensor.clone() for key, tensor in method.state_dict().items()}
    train_learner(tmp_path, method)
    tower_now = method._tower  # type: ignore[attr-defined]
    parts = {
        "token_embedding": tower_now._embedding,
        "transformer": tower_now._transformer,
        "ln_final": tower_now._norm,
    }
    for part, module in parts.items():
        for key, tensor in module.state_dict().items():  # type: ignore[union-attr]
            assert torch.equal(tensor, frozen[f"{part}.{key}"])
    learned = [key for key, p in method.named_parameters() if p.requires_grad]
    assert all(not torch.equal(before[key], method.state_dict()[key]) for key in learned)
    assert sum(tensor.numel() for tensor in method.state_dict().values()) < 20_000


@pytest.mark.parametrize("name", LEARNERS)
def test_a_stopped_training_resumes_to_the_same_bytes_and_no_other_method_takes_it(name: str, tmp_path: Path) -> None:
    train_learner(tmp_path / "whole", learner(name))
    for stop in (1, 4):
        with pytest.raises(Interrupted):
            train_learner(tmp_path / "stopped", learner(name), stop=stop_before_step(stop))
        for other in {*LEARNERS} - {name}:
            with pytest.raises(InputError, match=rf"state.pt is of method {name}, this training is of method {other}"):
                train_learner(tmp_path / "stopped", learner(other))
    train_learner(tmp_path / "stopped", learner(name))
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


@pytest.mark.parametrize("name", LEARNERS)
def test_the_seed_decides_the_first_weights(name: str) -> None:
    first, again, other = (list(learner(name, seed).parameters()) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    # CoOp's official context is random, CoCoOp's starts from words, but not its meta-net.
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))
