"""Try the promises of a method on small random vectors."""

from __future__ import annotations

import tempfile
from dataclasses import MISSING, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.embed.encoders import load_encoder
from pipelines.embed.encoders.spec import POCKET
from pipelines.methods import load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import NEEDS, ClipBatch, Method, TextBank, build_method, resolve_config
from pipelines.methods.recipe import Recipe
from pipelines.plugin_check.promise import Promise, expect
from pipelines.train.checkpoint import load_weights, saved_tensors, trained_tensors, write_weights

_CLIPS, _CLASSES, _DIM, _SEGMENTS, _TAU = 4, 5, 128, 16, 100.0
_TOWERS = frozenset({"text_tower", "pixels"})
_ROLES = {"frame_vectors": "frames", "hand_vectors": "hand", "v2_vectors": "full"}
_TOLERANCE = 1e-4


def promises(spec: str) -> list[Promise]:
    """List the promises of a method, with their trials.

    Raises:
        UsageError: there is no such class, or it is not a method.
    """
    trial = _Trial(load_method(spec))
    return [
        Promise("declares name, needs, presets and a frozen configuration with help texts", trial.declares, True),
        Promise("resolves every preset", trial.resolves, True),
        Promise("is built from its configuration and the widths", trial.is_built, True),
        Promise("gives finite float32 logits [B, C]", trial.gives_logits, True),
        Promise("takes classes it was not trained on", trial.takes_other_classes),
        Promise("scores a clip the same whatever clips are beside it", trial.ignores_neighbours),
        Promise("has the same first weights for the same seed", trial.follows_the_seed),
        Promise("sends gradients to every trained tensor and to no other", trial.sends_gradients),
        Promise("comes back from its weights file", trial.comes_back),
        Promise("gives finite statistics", trial.gives_statistics),
    ]


class _Trial:
    def __init__(self, method: type[Method]) -> None:
        self._class = method

    def declares(self) -> None:
        found = self._class
        for name in ("name", "needs", "config", "presets"):
            expect(hasattr(found, name), f"there is no class attribute {name}")
        unknown = set(found.needs) - NEEDS
        expect(found.needs and not unknown, f"needs is {sorted(found.needs)}; expected some of {sorted(NEEDS)}")
        config = found.config
        expect(is_dataclass(config), f"config is {config!r}; expected a dataclass")
        expect(config.__dataclass_params__.frozen, f"{config.__name__} is not frozen: @dataclass(frozen=True)")
        for item in fields(config):
            expect(item.metadata.get("help"), f"the setting {item.name} has no help: field(metadata={{'help': …}})")
            expect(item.default is not MISSING, f"the setting {item.name} has no default")
            expect(
                item.name not in Recipe.__dataclass_fields__, f"the setting {item.name} is named as one of the recipe"
            )

    def resolves(self) -> None:
        expect("official" in self._class.presets, "there is no preset official, which is the default")
        for preset in self._class.presets:
            resolve_config(self._class, preset)

    @cached_property
    def _config(self) -> Any:
        return resolve_config(self._class).config

    @cached_property
    def _backbone(self) -> Backbone:
        """The widths alone, or the packaged encoder where the method needs its towers."""
        if not self._class.needed_by(self._config) & _TOWERS:
            return Backbone(_DIM, _DIM, _TAU)
        options: dict[str, Any] = {"precision": "fp32", "batch_size": 1, "device": "cpu", "offline": True}
        model = load_encoder(POCKET, **options)
        return Backbone(model.dim, model.dim, model.logit_scale, model.text_tower(), model.visual_tower())

    def _build(self, seed: int = 0) -> Method:
        return build_method(self._class, self._config, self._backbone, seed)

    def is_built(self) -> None:
        self._build()

    def _batch(self) -> ClipBatch:
        draw = torch.Generator().manual_seed(1)
        segments = getattr(self._config, "segments", _SEGMENTS)
        shape = (_CLIPS, segments, self._backbone.dim)
        needed = self._class.needed_by(self._config)
        parts = {role: torch.randn(shape, generator=draw) for need, role in _ROLES.items() if need in needed}
        if "pixels" in needed and self._backbone.visual_tower is not None:
            size = self._backbone.visual_tower.size
            picture = (_CLIPS, segments, 3, size, size)
            parts["pixels"] = torch.randint(256, picture, generator=draw, dtype=torch.uint8)
        return ClipBatch(**parts)

    def _text(self, classes: int = _CLASSES) -> TextBank:
        dim, names = self._backbone.dim, [f"class {number}" for number in range(classes)]
        vectors = torch.randn(classes, dim, generator=torch.Generator().manual_seed(classes))
        return TextBank(vectors, self._backbone.logit_scale, names, names)

    def _logits(self, method: Method, batch: ClipBatch, text: TextBank) -> Tensor:
        with torch.no_grad():
            return method.eval()(batch, text)

    def gives_logits(self) -> None:
        logits = self._logits(self._build(), self._batch(), self._text())
        shape = (_CLIPS, _CLASSES)
        expect(tuple(logits.shape) == shape, f"logits {list(logits.shape)} for {_CLIPS} clips and {_CLASSES} classes")
        expect(logits.dtype == torch.float32, f"logits are {logits.dtype}")
        expect(logits.isfinite().all(), "some logits are not finite")

    def takes_other_classes(self) -> None:
        logits = self._logits(self._build(), self._batch(), self._text(_CLASSES + 2))
        expect(tuple(logits.shape) == (_CLIPS, _CLASSES + 2), f"logits {list(logits.shape)} for {_CLASSES + 2} classes")

    def ignores_neighbours(self) -> None:
        method, batch = self._build(), self._batch()
        together = self._logits(method, batch, self._text())
        first = ClipBatch(**{name: None if part is None else part[:1] for name, part in vars(batch).items()})
        difference = (self._logits(method, first, self._text()) - together[:1]).abs().max().item()
        largest = together.abs().max().item()
        expect(difference <= _TOLERANCE * max(1.0, largest), f"alone its logits differ by up to {difference:.3g}")

    def follows_the_seed(self) -> None:
        one, two = (self._build(3).state_dict() for _ in range(2))
        other = [name for name in one if not torch.equal(one[name], two[name])]
        expect(not other, f"the tensor {other[:1]} differs between two constructions with one seed")

    def _step(self, method: Method) -> None:
        """Run one optimiser step, as in training."""
        target = torch.arange(_CLIPS) % _CLASSES
        logits = method.train().training_logits(self._batch(), self._text(), target)
        F.cross_entropy(logits.float(), target).backward()
        trained = trained_tensors(method)
        torch.optim.AdamW(trained.values(), 1e-2).step()

    def sends_gradients(self) -> None:
        method = self._build()
        trained = trained_tensors(method)
        expect(
            bool(trained) == self._class.trains, f"trains is {self._class.trains}, with {len(trained)} trained tensors"
        )
        if not trained:
            return
        before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
        self._step(method)
        lacking = [name for name, tensor in trained.items() if tensor.grad is None]
        expect(not lacking, f"no gradient reaches {', '.join(lacking)}; what is not trained has requires_grad off")
        bad = [name for name, tensor in trained.items() if tensor.grad is not None and not tensor.grad.isfinite().all()]
        expect(not bad, f"the gradient of {', '.join(bad)} is not finite")
        moved = [
            name for name, was in before.items() if name not in trained and not torch.equal(was, _now(method, name))
        ]
        expect(not moved, f"{', '.join(moved)} changed in training and would not be saved")

    def comes_back(self) -> None:
        method = self._build()
        if self._class.trains:
            self._step(method)
        expected = self._logits(method, self._batch(), self._text())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "weights.safetensors"
            write_weights(file, saved_tensors(method), {"method": self._class.name})
            again = self._build()
            load_weights(again, file)
        found = self._logits(again, self._batch(), self._text())
        expect(torch.equal(found, expected), "with the saved weights a new one gives other logits")

    def gives_statistics(self) -> None:
        with torch.no_grad():
            found = self._build().eval().statistics(self._batch(), self._text())
        bad = {name: value for name, value in found.items() if not torch.tensor(float(value)).isfinite()}
        expect(not bad, f"{bad}")


def _now(method: Method, name: str) -> Tensor:
    tensor: Tensor = method.state_dict()[name]
    return tensor
