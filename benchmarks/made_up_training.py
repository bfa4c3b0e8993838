"""Training steps of X-MIC on made-up clips, for what only their time is measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.methods import load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, build_method, resolve_config
from pipelines.train.estimate import made_up_clips
from pipelines.train.optim import make_optimiser
from pipelines.train.options import TrainPrecision
from pipelines.train.steps import autocast

_ROLES = {"frame_vectors": "frames", "hand_vectors": "hand", "v2_vectors": "full"}


@dataclass(frozen=True)
class MadeUpTraining:
    """A method with a batch that it is trained on again and again; the same at every making."""

    method: Method
    batch: ClipBatch
    text: TextBank
    labels: Tensor
    optimiser: torch.optim.Optimizer

    @classmethod
    def of(cls, preset: str, width: int, clips: int, frames: int, classes: int) -> MadeUpTraining:
        """Make it for vectors of ``width``."""
        method_class = load_method("xmic")
        settings = resolve_config(method_class, preset, {"segments": frames})
        torch.manual_seed(0)
        method = build_method(method_class, settings.config, Backbone(width, width, 100.0), 0)
        needed = [role for need, role in _ROLES.items() if need in method_class.needed_by(settings.config)]
        vectors = torch.randn(classes, width, generator=torch.Generator().manual_seed(1))
        names = [f"class {number}" for number in range(classes)]
        return cls(
            method,
            made_up_clips(clips, dict.fromkeys(needed, (frames, width))),
            TextBank(vectors, 100.0, names, names),
            torch.arange(clips) % classes,
            make_optimiser(settings.recipe, [one for one in method.parameters() if one.requires_grad]),
        )

    def forward(self, precision: TrainPrecision = "fp32") -> Tensor:
        """Make the forward pass."""
        with autocast(torch.device("cpu"), precision):
            return self.method.training_logits(self.batch, self.text, self.labels).float()

    def step(self, precision: TrainPrecision = "fp32") -> None:
        """Make a step."""
        self.optimiser.zero_grad()
        F.cross_entropy(self.forward(precision), self.labels).backward()
        self.optimiser.step()
