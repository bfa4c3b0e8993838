"""Train the ``pocket`` encoder contrastively on drawn pictures and captions.

The training is that of CLIP (Radford et al., 2021).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip
import safetensors.torch
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, normalize
from torch.utils.data import DataLoader, Subset

from data_manifests.errors import InputError
from packaged_models.encoder.batches import Batches, Lesson
from packaged_models.encoder.captions import known_words
from packaged_models.encoder.drawings import Drawings
from packaged_models.encoder.network import (
    PREPROCESS,
    Tokens,
    make_network,
    text_vectors,
    weight_groups,
    write_config,
)
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.progress import Progress
from pipelines.engine.training_state import read_state, write_state

STATE, LOG = "state.pt", "log.jsonl"
_CHECKPOINT_STEPS = 100
_MOST_SCALE = math.log(100.0)


@dataclass(frozen=True)
class Training:
    """Settings that decide the weights.

    Attributes:
        seed: seed of weights, pictures and captions.
        steps: number of steps.
        batch: pictures per step.
        lr: the largest learning rate; it rises for ``warmup`` steps and falls to 0 as a cosine.
        warmup: number of steps in which the learning rate rises.
        decay: AdamW's weight decay.
        instances: number of drawings of each kind.
        scenes: number of action scenes.
        lessons: contents of the pictures, one lesson after the other: large single things first, actions last.
        patch_dropout: share of the patches left out until the last part.
        whole_from: share of the training after which all patches are seen.
    """

    seed: int = 0
    steps: int = 2400
    batch: int = 256
    lr: float = 1e-3
    warmup: int = 100
    decay: float = 0.1
    instances: int = 200
    scenes: int = 6480
    lessons: tuple[Lesson, ...] = (Lesson(0.25, (1.0,), 0.45), Lesson(0.4), Lesson(1.0, actions=0.3))
    patch_dropout: float = 0.5
    whole_from: float = 0.85


def train_encoder(work: Path, training: Training, into: Path, workers: int, progress: Progress) -> dict[str, Any]:
    """Draw the pictures, train the encoder and write its files.

    The files are ``pocket.json``, ``pocket.words.json`` and ``pocket.safetensors`` (float16). Run it again after a
    stop:
    drawings are kept, and the training goes on from its last checkpoint.

    Args:
        work: folder of drawings, checkpoint and log; some 4 GB.
        training: the settings.
        into: folder of the finished weights.
        workers: number of processes that draw.
        progress: updated with each drawing and each step.

    Returns:
        'file', 'sha256', 'pictures', 'parameters' and the last 'loss'.

    Raises:
        InputError: the checkpoint is one of another training.
    """
    drawings = Drawings(work, training.instances, training.scenes, training.seed)
    torch.manual_seed(training.seed)
    network = make_network(training.patch_dropout)
    optimiser = torch.optim.AdamW(weight_groups(network, training.decay), lr=training.lr, betas=(0.9, 0.98))
    done, loss = _resume(work, training, network, optimiser)
    tokens = Tokens()
    drawings.draw_things(workers, progress)
    for lesson in training.lessons:
        last = round(lesson.until * training.steps)
        if done >= last:
            continue
        if lesson.actions:
            drawings.draw_actions(workers, progress)
        progress.start("train", last, "steps", done)
        for pictures, captions in _batches(drawings, training, lesson, range(done, last)):
            loss = _step(network, optimiser, training, done, _scaled(pictures), captions, tokens)
            done += 1
            progress.advance()
            if done % _CHECKPOINT_STEPS == 0 or done == last:
                _save(work, training, network, optimiser, done, loss)
        progress.finish()
    return _export(network, into, training, loss)


def _step(
    network: open_clip.CLIP,
    optimiser: torch.optim.Optimizer,
    training: Training,
    step: int,
    pictures: Tensor,
    captions: list[str],
    tokens: Tokens,
) -> float:
    torch.manual_seed(training.seed * 1_000_003 + step)  # chooses the patches left out: a resumed step is the same
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(training, step)
    network.train()
    network.visual.patch_dropout.prob = training.patch_dropout if step < training.whole_from * training.steps else 0.0
    loss = contrastive_loss(network, pictures, captions, tokens)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    with torch.no_grad():
        network.logit_scale.clamp_(0, _MOST_SCALE)
    return loss.item()


def learning_rate(training: Training, step: int) -> float:
    """Compute the learning rate of a step.

    It rises linearly to ``lr`` and falls to 0 as a cosine.
    """
    if step < training.warmup:
        return training.lr * (step + 1) / training.warmup
    done = (step - training.warmup) / max(1, training.steps - training.warmup)
    return training.lr * 0.5 * (1 + math.cos(math.pi * done))


def contrastive_loss(network: open_clip.CLIP, pictures: Tensor, captions: list[str], tokens: Tokens) -> Tensor:
    """Compute CLIP's symmetric loss of a batch.

    Pictures with the same caption all count as right for that caption.

    Args:
        network: the network in training.
        pictures: float32 ``[B, 3, 128, 128]``, normalised.
        captions: B texts.
        tokens: the tokeniser.
    """
    unique = sorted(set(captions))
    own = torch.tensor([unique.index(caption) for caption in captions])
    with torch.autocast("cpu", torch.bfloat16):
        images = network.encode_image(pictures)
    texts = text_vectors(network, tokens.of(unique))
    logits = network.logit_scale.exp() * normalize(images.float(), dim=-1) @ normalize(texts, dim=-1).T
    right = torch.nn.functional.one_hot(own, len(unique)).T.float()
    of_texts = -(log_softmax(logits.T, dim=-1) * right).sum(dim=-1) / right.sum(dim=-1)
    return (cross_entropy(logits, own) + of_texts.mean()) / 2


def _batches(drawings: Drawings, training: Training, lesson: Lesson, steps: range) -> DataLoader:
    batches = Batches(drawings, training.seed, training.batch, training.steps, lesson)
    return DataLoader(Subset(batches, steps), batch_size=None, num_workers=1, prefetch_factor=4)


def _scaled(pictures: Tensor) -> Tensor:
    mean, std = (torch.tensor(PREPROCESS[name]).view(1, 3, 1, 1) * 255 for name in ("mean", "std"))
    return (pictures.float() - mean) / std


def _resume(work: Path, training: Training, network: open_clip.CLIP, optimiser: Any) -> tuple[int, float]:
    file = work / STATE
    if not file.is_file():
        return 0, math.nan
    state = read_state(file)
    if state["training"] != asdict(training):
        raise InputError(f"{file}: of another training ({state['training']}). Name another folder, or remove it.")
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), float(state["loss"])


def _save(work: Path, training: Training, network: open_clip.CLIP, optimiser: Any, step: int, loss: float) -> None:
    state = {
        "training": asdict(training),
        "step": step,
        "loss": loss,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    write_state(work / STATE, state)
    with (work / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps({"step": step, "loss": loss, "scale": network.logit_scale.exp().item()}) + "\n")


def _export(network: open_clip.CLIP, into: Path, training: Training, loss: float) -> dict[str, Any]:
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    with replace_atomically(into / "pocket.safetensors") as temporary:
        safetensors.torch.save_file(weights, temporary)
    write_config(into / "pocket.json")
    with replace_atomically(into / "pocket.words.json") as temporary:
        temporary.write_text(json.dumps(known_words(), indent=0) + "\n", encoding="utf-8")
    file = into / "pocket.safetensors"
    return {
        "file": str(file),
        "sha256": whole_file_sha256(file),
        "pictures": training.steps * training.batch,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "loss": loss,
    }
