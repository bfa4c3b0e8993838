"""Measure an encoder's zero-shot accuracy, from web-like to first-person pictures.

The encoder is not trained on the drawn world's videos. The pictures have instances that neither the training of the
encoder nor any other picture of it showed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from packaged_models.encoder.pictures import DRAWN, compose
from pipelines.engine.progress import Progress
from pipelines.evaluate.metrics import top_k
from pipelines.hands.crops import CropPolicy, crop, union_box
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EGO4D, EPIC, Domain
from pocket_kitchens.drawing.objects import draw_object
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH, ClipSpec
from pocket_kitchens.truth import boxes_of
from pocket_kitchens.world import INSTANCES, Size, plan_world

FRAMES = 8
"""Number of frames of a clip that are measured, in equal steps."""

_UNSEEN = INSTANCES["pretraining"][-200:]


def measure_encoder(encoder: Any, seed: int, clips: int, progress: Progress) -> list[dict[str, Any]]:
    """Measure zero-shot top-1 of every domain, in percent.

    The vectors of a clip's frames are averaged as unit vectors.

    Args:
        encoder: from :func:`pipelines.embed.encoders.load_encoder`.
        seed: seed of the pictures and of the worlds; no world of an experiment has it.
        clips: number of clips per domain, and of pictures per kind of picture.
        progress: updated with each clip.

    Returns:
        One row per domain and kind of picture: 'domain', 'pictures' ('one thing', 'several things', 'first person',
        'hand crops'), 'count', 'classes', 'noun', and 'verb' for clips (else None).
    """
    rows = []
    for domain in (EPIC, EGO4D):
        nouns, verbs = encoder.encode_texts(list(domain.nouns)), encoder.encode_texts(list(domain.verbs))
        for name, most in (("one thing", 1), ("several things", 4)):
            rng = np.random.default_rng((seed, most, len(domain.name)))
            shown = [_third_person(domain, most, rng) for _ in range(clips)]
            scores = _vectors(encoder, [picture for picture, _ in shown]) @ _unit(nouns).T
            labels = np.array([domain.nouns.index(noun) for _, noun in shown])
            row = {"domain": domain.name, "pictures": name, "count": len(shown), "classes": len(domain.nouns)}
            rows.append({**row, "noun": top_k(scores, labels), "verb": None})
        chosen = [clip for video in plan_world(domain, Size(0, clips), seed) for clip in video.clips]
        progress.start(f"{domain.name} clips", len(chosen))
        full, hand = [], []
        for frames, crops in (_first_person(clip, domain) for clip in chosen):
            full.append(_unit(_vectors(encoder, frames).mean(axis=0, keepdims=True)))
            hand.append(_unit(_vectors(encoder, crops).mean(axis=0, keepdims=True)))
            progress.advance()
        progress.finish()
        labels = np.array([domain.nouns.index(clip.noun) for clip in chosen])
        doing = np.array([domain.verbs.index(clip.verb) for clip in chosen])
        for name, vectors in (("first person", np.concatenate(full)), ("hand crops", np.concatenate(hand))):
            row = {"domain": domain.name, "pictures": name, "count": len(chosen), "classes": len(domain.nouns)}
            noun, verb = top_k(vectors @ _unit(nouns).T, labels), top_k(vectors @ _unit(verbs).T, doing)
            rows.append({**row, "noun": noun, "verb": verb})
    return rows


def _third_person(domain: Domain, most: int, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Draw a picture of one to ``most`` nouns of the domain.

    The label is the noun that has the largest area.
    """
    count = int(rng.integers(min(2, most), most + 1))
    kinds = [str(kind) for kind in rng.choice(domain.nouns, size=count, replace=False)]
    instances = [_UNSEEN[int(rng.integers(len(_UNSEEN)))] for _ in kinds]
    drawn = [(kind, draw_object(kind, one, DRAWN)) for kind, one in zip(kinds, instances, strict=True)]
    made = compose(drawn, rng)
    return made.rgb, max(made.things, key=lambda thing: thing[1])[0]


def _first_person(clip: ClipSpec, domain: Domain) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Render frames of a clip and their crops by the true boxes."""
    policy = CropPolicy()
    middles = ((np.arange(FRAMES) + 0.5) / FRAMES * clip.frames).astype(int)
    frames = list(render(clip, domain, only={int(middle) for middle in middles}))
    full = [frame.rgb for frame in frames]
    hand = [crop(frame.rgb, union_box(boxes_of(frame.hands), policy, WIDTH, HEIGHT), policy) for frame in frames]
    return full, hand


def _vectors(encoder: Any, pictures: list[np.ndarray]) -> np.ndarray:
    return _unit(encoder.embed([encoder.preprocess(np.ascontiguousarray(picture)) for picture in pictures]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
