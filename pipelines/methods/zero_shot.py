"""Zero-shot CLIP: nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, Method, TextBank, stream_of
from pipelines.methods.blocks import FramePool, at_least_float32, exact_float32, normalise, pool_frames


@dataclass(frozen=True)
class ZeroShotConfig:
    """Settings of zero-shot CLIP."""

    frame_pool: FramePool = field(
        default="norm_then_norm",
        metadata={
            "help": "average raw frame vectors (raw_then_norm) or normalised ones (norm_then_norm)",
            "source": "X-MIC paper, Sec. 3.1, and its released code",
        },
    )


class ZeroShot(Method):
    """Zero-shot CLIP, without training ("No Fusion" in X-MIC's Table 1).

    logits = τ · e_v · n(e_t)ᵀ (Kukleva et al., CVPR 2024).
    """

    name = "zero-shot"
    needs = frozenset({"frame_vectors", "text_vectors"})
    config = ZeroShotConfig
    trains = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {"official": {}, "xmic-code": {}, "paper": {}}

    def __init__(self, config: ZeroShotConfig, backbone: Backbone) -> None:
        """Hold the settings.

        The backbone is not used: the text bank brings its own τ.
        """
        super().__init__(config, backbone)
        self._config = config

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch.

        Returns:
            [B, C] float32.

        Raises:
            InputError: the batch has no classified stream.
        """
        frames = stream_of(self.name, batch, "frames")
        with exact_float32(frames.device):
            video = pool_frames(frames, self._config.frame_pool)
            return text.logit_scale * video @ normalise(at_least_float32(text.vectors)).to(video.dtype).T

    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return τ and the mean norm of the text vectors.

        ``logit_scale`` is τ, ``text_norm`` the mean of ‖e_t‖.
        """
        return {
            "logit_scale": text.logit_scale,
            "text_norm": at_least_float32(text.vectors).norm(dim=-1).mean().item(),
        }
