"""Recipe of a training: optimiser, learning rates and length."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from data_manifests.errors import UsageError

_BOTH = "X-MIC paper, Sec. 4.2, and its released code"
_CODE = "X-MIC's released code"


@dataclass(frozen=True)
class Recipe:
    """Optimiser, learning rates and length of a training.

    The default is AdamW with a linear warm-up and then a constant learning rate, as in X-MIC's official code.

    Raises:
        UsageError: a value is out of range.
    """

    optimiser: Literal["adamw", "sgd"] = field(
        default="adamw", metadata={"help": "adamw, or sgd with momentum", "source": _BOTH}
    )
    lr: float = field(default=5e-4, metadata={"help": "learning rate after the warm-up", "source": _CODE})
    betas: tuple[float, float] = field(
        default=(0.9, 0.98), metadata={"help": "AdamW's two averaging factors", "source": _CODE}
    )
    momentum: float = field(
        default=0.9, metadata={"help": "of sgd", "source": "Dassl's default, which CoOp's code uses"}
    )
    weight_decay: float = field(
        default=0.01, metadata={"help": "of every tensor: norms, biases, logit scale too", "source": _BOTH}
    )
    schedule: Literal["constant", "cosine"] = field(
        default="constant", metadata={"help": "of the learning rate after the warm-up", "source": _BOTH}
    )
    warmup_epochs: int = field(
        default=5, metadata={"help": "epochs before the learning rate is reached; 0 = none", "source": _CODE}
    )
    warmup_lr: float = field(
        default=1e-7, metadata={"help": "learning rate of the first warm-up epoch", "source": _CODE}
    )
    epochs: int = field(default=15, metadata={"help": "passes over the training clips", "source": _BOTH})
    batch: int = field(default=128, metadata={"help": "clips per step", "source": f"{_CODE} (one-GPU scripts)"})

    def __post_init__(self) -> None:
        """Check the values."""
        for name, low in (("lr", 0), ("weight_decay", 0), ("warmup_epochs", 0), ("warmup_lr", 0)):
            if getattr(self, name) < low:
                raise UsageError(f"{name}={getattr(self, name)}: expected {low} or more.")
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 1 or more.")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"momentum={self.momentum}: expected from 0 to below 1.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"betas={self.betas[0]},{self.betas[1]}: expected both from 0 to below 1.")


PAPER: dict[str, Any] = {"lr": 1e-6, "betas": (0.9, 0.999), "warmup_epochs": 0}
"""What the X-MIC paper states (Kukleva et al., CVPR 2024, Sec. 4.2) where its code differs."""

PAPER_SOURCES: dict[str, str] = dict.fromkeys(PAPER, "X-MIC paper, Sec. 4.2")
"""Source of each setting of :data:`PAPER`."""
