"""What a training step promises: the CPU waits for nothing, and bf16 leaves the classifier alone."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from data_manifests.errors import InputError
from pipelines.methods.base import ClipBatch, Method, TextBank
from pipelines.methods.prompts import Prompts, TextCache
from pipelines.methods.text_tower import TextTower
from pipelines.methods.visual_tower import VisualTower
from pipelines.train import steps as steps_module
from pipelines.train.checkpoint import Checkpoint
from pipelines.train.loop import train_head
from pipelines.train.steps import Steps, autocast
from tests.pipelines.train import loop_world
from tests.pipelines.train.every_method import CLIPS, LEARNING, RECIPE, make, world
from tests.pipelines.train.loop_world import CLASSES, CPU, STEPS, small_xmic, train

META = torch.device("meta")
"""A device without values: reading one of its tensors, or asking how many values fulfil a condition, is an error."""


def without_values(found: Any, seen: set[int]) -> None:
    """Move every tensor that an object holds to that device, also those of frozen towers."""
    if id(found) in seen:
        return
    seen.add(id(found))
    if isinstance(found, nn.Module):
        found.to(META)
        for part in (*found.modules(), *vars(found).values()):
            without_values(part, seen) if part is not found and not isinstance(part, nn.Parameter) else None
    if isinstance(found, list):
        for part in found:
            without_values(part, seen)
    elif isinstance(found, nn.Module | TextTower | VisualTower) or type(found).__name__ == "VisualLayer":
        for name, part in vars(found).items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                setattr(found, name, part.to(META))
            elif isinstance(part, nn.Parameter):
                setattr(found, name, nn.Parameter(part.to(META), part.requires_grad))
            else:
                without_values(part, seen)


def steps_without_values(name: str, method: Method, monkeypatch: pytest.MonkeyPatch) -> Steps:
    data, text = world(name)
    of = TextCache.of

    def laid_out(self: TextCache[Any], bank: TextBank, *state: object) -> Any:
        found = of(self, bank, *state)
        if isinstance(found, Prompts):
            moved = {part: getattr(found, part).to(META) for part in ("frozen", "rows", "eot")}
            return replace(found, **moved)
        return found

    with torch.no_grad():
        for cache in vars(method).values():
            if isinstance(cache, TextCache) and "lambda" in repr(cache._make):
                cache.of(text)
    monkeypatch.setattr(TextCache, "of", laid_out)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    without_values(method, set())
    # The bank stays the same object, by which its prompts are remembered.
    object.__setattr__(text, "vectors", text.vectors.to(META))
    return Steps(method, data, data.labels, text, RECIPE, 0, META)


@pytest.mark.parametrize("name", LEARNING)
def test_a_step_of_every_method_reads_nothing_from_its_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = make(name)
    steps = steps_without_values(name, method, monkeypatch)
    for step in range(3):
        steps.make(0, step)
    assert all(tensor.device == META for tensor in method.parameters())
    assert all(tensor.grad is not None for tensor in method.parameters() if tensor.requires_grad)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        steps.read()


@pytest.mark.parametrize("read", [Tensor.item, Tensor.tolist, Tensor.cpu, Tensor.nonzero, bool])
def test_a_method_that_reads_is_found_out(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    method = make("clip-adapter")
    forward = method.forward

    def reading(batch: ClipBatch, text: TextBank) -> Tensor:
        logits = forward(batch, text)
        read(logits.detach().sum())
        return logits

    method.forward = reading  # type: ignore[method-assign]
    steps = steps_without_values("clip-adapter", method, monkeypatch)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        steps.make(0, 0)


class Reads(TorchFunctionMode):
    """Counts calls that read values."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = {"item", "tolist", "cpu", "numpy", "__int__", "__float__", "__bool__", "nonzero", "unique"}
        self.count += getattr(function, "__name__", "") in names
        return function(*args, **(kwargs or {}))


class Scalars(TorchDispatchMode):
    """Counts values that are read one by one, by whatever call."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def reads_of_an_epoch(folder: Path, clips: int) -> int:
    data, text = loop_world.world(clips)
    with Reads() as reads, Scalars() as scalars:
        train(folder, data=data, text=text, recipe=replace(loop_world.RECIPE, epochs=1, batch=2, optimiser="sgd"))
    return reads.count + scalars.count


def test_an_epoch_of_many_steps_reads_no_more_often_than_one_of_few(tmp_path: Path) -> None:
    few, many = (reads_of_an_epoch(tmp_path / str(clips), clips) for clips in (8, 80))
    assert few == many > 0


def test_losses_are_read_after_so_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, read = [], Steps.read

    def counted(self: Steps) -> Any:
        made = read(self)
        counts.append(len(made))
        return made

    monkeypatch.setattr(Steps, "read", counted)
    monkeypatch.setattr(steps_module, "READ_STEPS", 3)
    train(tmp_path / "a")
    assert counts == [3, STEPS - 3] * 3
    monkeypatch.setattr(steps_module, "READ_SECONDS", 0.0)
    counts.clear()
    train(tmp_path / "b")
    assert max(counts) == 1
    files = [loop_world.files(tmp_path / name) for name in "ab"]
    assert files[0] == files[1]


def test_no_state_is_saved_after_a_loss_that_is_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, save = [], Checkpoint.save

    def seen(self: Checkpoint, place: Any) -> None:
        saved.append(all(tensor.isfinite().all() for tensor in self.method.parameters()))
        save(self, place)

    monkeypatch.setattr(Checkpoint, "save", seen)
    recipe = replace(loop_world.RECIPE, lr=1e30, warmup_epochs=0)
    with pytest.raises(InputError, match="step 2 of 4: the loss is nan"):
        train(tmp_path, recipe=recipe, checkpoint_minutes=0.0)
    assert saved[:1] == [True]
    assert all(saved[:-1])


@pytest.mark.parametrize("name", LEARNING)
def test_bf16_computes_the_classifier_and_the_loss_in_float32(name: str) -> None:
    data, text = world(name)
    batch, target = data.batch(np.arange(8), 0), torch.from_numpy(data.labels[:8])
    found = {}
    for precision in ("fp32", "bf16"):
        method = make(name)
        torch.manual_seed(0)
        with autocast(CPU, precision):  # type: ignore[arg-type]
            found[precision] = method.training_logits(batch, text, target)
    logits = found["bf16"]
    assert logits.dtype == torch.float32
    known = logits.isfinite()
    # What bf16 had computed would be the same in bf16.
    assert (logits.bfloat16().float() != logits)[known].float().mean() > 0.9
    torch.testing.assert_close(logits[known], found["fp32"][known], rtol=0.05, atol=0.25)
    assert F.cross_entropy(logits, target).dtype == torch.float32


@pytest.mark.parametrize("name", LEARNING)
def test_every_method_learns_in_bf16(name: str, tmp_path: Path) -> None:
    data, text = world(name)
    method = make(name)
    before = {key: tensor.clone() for key, tensor in method.named_parameters() if tensor.requires_grad}
    outcome = train_head(method, data, text, RECIPE, 0, tmp_path, CPU, label="noun", key="k", precision="bf16")
    assert outcome.final["clips"] == CLIPS
    assert np.isfinite(outcome.final["loss"])
    after = dict(method.named_parameters())
    assert all(after[key].dtype == torch.float32 and not torch.equal(after[key], before[key]) for key in before)


def test_labels_count_as_the_classes_of_the_world() -> None:
    data, text = loop_world.world()
    steps = Steps(small_xmic(), data, data.labels, text, loop_world.RECIPE, 5, CPU)
    steps.make(0, 0)
    (made,) = steps.read()
    assert (made.epoch, made.step, made.clips) == (0, 0, 16)
    assert 0 <= made.correct <= 16
    assert 0 < made.loss < 3 * np.log(CLASSES)
    assert steps.read() == []
