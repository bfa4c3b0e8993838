"""A small workspace that is embedded already, by an encoder that needs no network: for tests of what comes after."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from data_manifests.readers.table import TableReader
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.stage import EmbedStage, LazyEncoder
from pipelines.embed.text import text_stages
from pipelines.engine import stage
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.stage import DetectHandsStage
from pipelines.prepare.stage import prepare

DIM = 64
SEGMENTS = 4


class FakeEncoder:
    """Vectors from a picture's colours and from a text's hash: no network, but every picture has its own."""

    dim = DIM
    logit_scale = 100.0

    def preprocess(self, picture: np.ndarray) -> np.ndarray:
        """The mean colour of an 8 × 8 grid."""
        height, width = picture.shape[:2]
        rows, cols = np.arange(8) * height // 8, np.arange(8) * width // 8
        return np.add.reduceat(np.add.reduceat(picture.astype(np.float64), rows, 0), cols, 1).reshape(-1)

    def embed(self, inputs: list[np.ndarray]) -> np.ndarray:
        """A fixed random projection."""
        weights = np.random.default_rng(0).normal(size=(192, DIM))
        return (np.stack(inputs) / 1e4 @ weights).astype(np.float32)

    def embed_clips(self, clips: list[list[np.ndarray]]) -> np.ndarray:
        """The weighted sum of a clip's frames, so that their order counts."""
        return np.stack([np.arange(1, len(clip) + 1) @ self.embed(clip) for clip in clips])

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """A vector a text, by its hash."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]
        return np.stack([np.random.default_rng(seed).normal(size=DIM) for seed in seeds]).astype(np.float32)


class FakeDetector:
    """One hand in the middle of about every other frame."""

    def detect(self, images: list[np.ndarray]) -> list[list[Box]]:
        """Boxes by a checksum of the pixels, so that equal frames have equal boxes."""
        return [[Box(0.25, 0.25, 0.75, 0.75, 0.9)] if zlib.crc32(image.tobytes()) % 2 else [] for image in images]


def encoder(name: str = "fake", **provenance: Any) -> LazyEncoder:
    """The fake encoder under a name."""
    facts = {"spec": name, "precision": "fp32", "normalised": False, "random_weights": False, **provenance}
    identity = SimpleNamespace(slug=f"{name}-00000000", provenance=facts, text_provenance=facts, environment={})
    return LazyEncoder(identity, FakeEncoder)  # type: ignore[arg-type]


def add_dataset(
    workspace: Workspace,
    folder: Path,
    make_video: Any,
    name: str = "mine",
    splits: tuple[str, ...] = ("train", "val"),
    actions: tuple[tuple[str, str], ...] = (("cut", "bread"), ("stir", "pan"), ("open", "jar")),
    clips: int = 6,
    lazy: LazyEncoder | None = None,
    hands: bool = True,
    groups: int = 1,
) -> None:
    """Draw videos, prepare, decode, detect and embed them; a split's videos are spread over so many groups."""
    videos = folder / f"{name}-videos"
    videos.mkdir(parents=True, exist_ok=True)
    rows = ["video,start_s,stop_s,verb,noun,split"]
    for split in splits:
        for index in range(clips):
            verb, noun = actions[index % len(actions)]
            file = f"{split}{index}.mp4"
            make_video(videos / file, seconds=1, fps=12, start_pts=index)
            rows.append(f"{file},0,1,{verb},{noun},{split}")
    table = folder / f"{name}.csv"
    table.write_text("\n".join(rows) + "\n")
    workspace.datasets[name] = DatasetSettings("table", (str(videos),), groups)
    prepare(workspace, name, TableReader([(table, None)], roots=[videos]), [videos])
    embed_dataset(workspace, name, splits, lazy or encoder(), hands)


def embed_dataset(
    workspace: Workspace, name: str, splits: tuple[str, ...], lazy: LazyEncoder, hands: bool = True
) -> None:
    """Decode, detect and embed what is prepared."""
    for split in splits:
        plan = FramePlan(SEGMENTS, 3 if split == "train" else 1, 0)
        frames = DecodeStage(workspace, name, split, plan, workers=2)
        stage.run(frames)
        stage.run(EmbedStage(frames, lazy))
        if hands:
            identity = DetectorIdentity("fake-hands-00000000", {"detector": "fake"}, {})
            boxes = DetectHandsStage(frames, identity, FakeDetector)
            stage.run(boxes)
            stage.run(EmbedStage(frames, lazy, boxes.folder, CropPolicy()))
    for text in text_stages(workspace, name, lazy, "{}"):
        stage.run(text)
