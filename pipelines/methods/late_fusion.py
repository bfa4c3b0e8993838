"""Late fusion: X-MIC's adapter on the video side, as a control.

It shows how much depends on the side to which the vector is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from pipelines.methods.base import ClipBatch, TextBank, stream_of
from pipelines.methods.blocks import at_least_float32, exact_float32, normalise
from pipelines.methods.recipe import PAPER, PAPER_SOURCES
from pipelines.methods.xmic import EQUATION_SOURCES, EQUATIONS, RELEASED, XMIC, XMICConfig


@dataclass(frozen=True)
class LateFusionConfig(XMICConfig):
    """Settings of late fusion: X-MIC's, applied to the video vector.

    Raises:
        UsageError: as for :class:`pipelines.methods.xmic.XMICConfig`.
    """

    n2: bool = field(default=False, metadata={"help": "normalise the adapter's vector before the sum"})
    n3: bool = field(default=False, metadata={"help": "normalise the video vector before the sum"})
    scale: float = field(default=2.0, metadata={"help": "s, what the adapter's vector is multiplied by in the sum"})

    @property
    def method(self) -> str:
        """Name of the method, for error messages."""
        return "late-fusion"


class LateFusion(XMIC):
    """Late fusion: X-MIC's vector added to the video, as a control.

    logits = exp(logit_scale) · ⟨n(e_v + s·a_v), n(e_t)⟩. Adapter, inputs, parameters and initial weights are X-MIC's
    for the same seed. As e_t in X-MIC, e_v is raw here, the average of the frame vectors, so that a_v weighs about as
    much in the sum. A classifier then no longer depends on the clip. The method is not in the paper: it shows the
    effect of the side to which a_v is added.
    """

    name = "late-fusion"
    config = LateFusionConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "official": {},
        "xmic-code": {},
        "paper": {**PAPER, **EQUATIONS},
        "recommended": EQUATIONS,
    }
    sources: ClassVar[Mapping[str, str]] = {
        "official": f"ours, a control: {RELEASED} (Annusha/xmic), on the video side",
        "xmic-code": f"ours, a control: {RELEASED} (Annusha/xmic), on the video side",
        "paper": "ours, a control: X-MIC paper, Eq. 1 to 3 and Sec. 4.2, on the video side",
        "recommended": f"ours, a control: X-MIC paper, Eq. 1 to 3, on the video side, trained as {RELEASED} trains",
    }
    setting_sources: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "paper": {**PAPER_SOURCES, **EQUATION_SOURCES},
        "recommended": EQUATION_SOURCES,
    }

    def classify(self, vector: Tensor, frames: Tensor, text: TextBank) -> Tensor:
        """Compute the logits for given vectors of the adapter.

        Args:
            vector: a_v [B, D] as :meth:`vector` gives it.
            frames: [B, N, D], the classified stream.
            text: C classes.

        Returns:
            [B, C], float32 or wider.
        """
        with exact_float32(vector.device):
            a, video = self._video_summands(vector, frames)
            adapted = normalise(video + self.factor(a) * a)
            return self.logit_scale.to(a.dtype).exp() * adapted @ normalise(text.vectors.to(a.dtype)).T

    @torch.no_grad()
    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the mean norms of both summands.

        ``logit_scale`` is τ. ``video_norm`` is the mean of ‖e_v‖ and ``xmic_norm`` that of ‖s·a_v‖, both as
        they are summed.
        """
        a, video = self._video_summands(self.vector(batch), stream_of(self.name, batch, "frames"))
        return {
            "logit_scale": self.logit_scale.exp().item(),
            "video_norm": video.norm(dim=-1).mean().item(),
            "xmic_norm": (self.factor(a) * a).norm(dim=-1).mean().item(),
        }

    def _video_summands(self, vector: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return a_v and e_v, both [B, D], after n2 and n3."""
        a = at_least_float32(vector)
        frames = frames.to(a.dtype)
        video = (normalise(frames) if self._config.frame_pool == "norm_then_norm" else frames).mean(1)
        return (normalise(a) if self._config.n2 else a), (normalise(video) if self._config.n3 else video)
