"""Vectors of the encoders against the CPU's, pictures per second, and where the time goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.timing import Row, drawn_frames, milliseconds, per_second
from pipelines.decode.encode_jpeg import from_jpeg, to_jpeg
from pipelines.decode.stored_frames import prefetch
from pipelines.embed.batch_size import found_batch_size
from pipelines.embed.encoders import load_encoder
from pipelines.embed.encoders.spec import POCKET, POCKET_WORDS
from pipelines.engine.batches import begun_by, in_begun_batches
from pipelines.engine.machine import usable_cores

LARGE = "open_clip:ViT-B-16-quickgelu/random"
"""The sizes of OpenAI's CLIP ViT-B/16; its speed does not depend on the weights."""
_LEAST_COSINE = 0.9999
_COMPARED = 128


def measure(device: str, seconds: float, quick: bool = False) -> list[Row]:
    """Compare and time the packaged encoder, and time CLIP ViT-B/16."""
    place = torch.device(device)
    frames = drawn_frames(16 if quick else _COMPARED)
    plain = _encoder(POCKET, "fp32", "cpu", 16)
    inputs = [plain.preprocess(frame) for frame in frames]
    expected = plain.embed(inputs)
    words = json.loads(POCKET_WORDS.read_text("utf-8"))["noun"]
    nouns = plain.encode_texts(words)
    reduced = ("fp16", "bf16") if place.type == "cuda" else ("bf16",)
    rows = []
    for precision in ("fp32", *reduced):
        if place.type == "mps" and precision != "fp32":
            continue
        encoder = _encoder(POCKET, precision, device, 4 if quick else 256)
        found = encoder.embed(inputs)
        cosine = float(cosines(found, expected).min())
        same = float((best(found, nouns) == best(expected, nouns)).mean())
        rows.append(
            {
                "encoder": f"pocket, {precision}",
                "least cosine": round(cosine, 6),
                "same top-1 noun": same,
                "ok": cosine >= _LEAST_COSINE and same == 1.0,
                **_speed(encoder, frames, place, seconds),
            }
        )
    if not quick:
        for precision in reduced:
            encoder = _encoder(LARGE, precision, device, 64)
            rows.append({"encoder": f"ViT-B/16, {precision}", **_speed(encoder, frames, place, seconds)})
        rows.append(_compiled(reduced[0], device, encoder._shape[0], frames[0], seconds))
    return rows


def _compiled(precision: str, device: str, size: int, frame: np.ndarray, seconds: float) -> Row:
    """Measure what ``--compile`` gains."""
    encoder = _encoder(LARGE, precision, device, size, compiled=True)
    batch = [encoder.preprocess(frame)] * size
    rate = per_second(lambda: len(encoder.embed(batch)), torch.device(device), seconds)
    return {"encoder": f"ViT-B/16, {precision}, compiled", "batch": size, "pictures/s of embed": round(rate, 1)}


def cosines(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of vectors, [n, D] and [n, D] → [n]."""
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return np.einsum("nd,nd->n", found.astype(np.float64), expected.astype(np.float64)) / lengths


def best(vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Return the text of the largest cosine for each vector: [n, D], [C, D] → [n]."""
    found: np.ndarray = (vectors @ (texts / np.linalg.norm(texts, axis=1, keepdims=True)).T).argmax(axis=1)
    return found


def _speed(encoder: Any, frames: list[np.ndarray], device: torch.device, seconds: float) -> Row:
    """Measure the way of ``xmic embed``, from JPEGs in memory, and its parts alone.

    On a GPU the batch size is the one that ``--batch-size auto`` finds.
    """
    if device.type == "cuda":
        encoder.set_batch_size(found_batch_size(encoder.pictures_per_second, encoder._shape[0]))
    size = encoder._shape[0]
    jpegs = [to_jpeg(frame, 95) for frame in frames]
    pictures = [frames[number % len(frames)] for number in range(size)]
    inputs = [encoder.preprocess(picture) for picture in pictures]
    network = encoder.pictures_per_second(size)

    def rows() -> Iterator[tuple[int, Any]]:
        given = (jpegs[number % len(jpegs)] for number in range(2 * size))
        return enumerate(prefetch(given, lambda jpeg: encoder.preprocess(from_jpeg(jpeg)), usable_cores(), size))

    def stage() -> int:
        return sum(1 for _ in in_begun_batches(rows(), size, *begun_by(encoder, "embed")))

    part, cpu = seconds / 4, torch.device("cpu")
    batch = torch.stack(inputs)
    return {
        "batch": size,
        "pictures/s of the network": round(network, 1),
        "pictures/s of embed": round(per_second(lambda: len(encoder.embed(inputs)), device, part), 1),
        "pictures/s from JPEGs": round(per_second(stage, device, seconds), 1),
        "JPEG, ms per core": round(milliseconds(lambda: from_jpeg(jpegs[0]), cpu, 1, part), 3),
        "preprocess, ms per core": round(milliseconds(lambda: encoder.preprocess(frames[0]), cpu, 1, part), 3),
        "stack, ms": round(milliseconds(lambda: torch.stack(inputs), cpu, size, part), 4),
        "copy, ms": round(milliseconds(lambda: batch.to(device), device, size, part), 4),
        "network, ms": round(1000 / network, 4),
    }


def _encoder(spec: str, precision: str, device: str, batch_size: int, *, compiled: bool = False) -> Any:
    return load_encoder(
        spec,
        precision=precision,
        batch_size=batch_size,
        device=device,
        offline=True,
        allow_random_weights=True,
        compiled=compiled,
    )
