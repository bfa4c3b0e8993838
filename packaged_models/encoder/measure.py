"""Measure an encoder's zero-shot classification, from web-like to first-person pictures.

The encoder is not trained on the drawn world's videos. The pictures have instances that neither the training of the
encoder nor any other picture of it showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from data_manifests.schema import Label
from packaged_models.encoder.pictures import DRAWN, compose
from packaged_models.encoder.sample import FRAMES, PER_VIDEO
from packaged_models.encoder.zero_shot import ZeroShot, measure_zero_shot, unit
from pipelines.engine.progress import Progress
from pipelines.evaluate.cluster_counts import Recordings
from pipelines.evaluate.intervals import MIN_CLIPS, MIN_RECORDINGS
from pipelines.hands.crops import CropPolicy, crop, union_box
from pocket_kitchens.as_ego4d import video_uid
from pocket_kitchens.as_epic import video_name
from pocket_kitchens.build import VERSION
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EGO4D, EPIC, Domain
from pocket_kitchens.drawing.objects import draw_object
from pocket_kitchens.drawing.spec import HEIGHT, WIDTH, ClipSpec
from pocket_kitchens.truth import boxes_of
from pocket_kitchens.world import INSTANCES, PlannedVideo, Size, plan_world

COLUMNS = (
    "domain",
    "label",
    "pictures",
    "top-1 %",
    "loss",
    "best T",
    "loss at T",
    "ln C",
    "ln C − loss at T",
    "own cosine",
    "all cosine",
    "text cosine",
    "verdict",
)
"""Heads of :meth:`Row.cells`."""

Pictures = Literal["one thing", "several things", "full frames", "hand crops"]
_OF_CLIPS: tuple[Pictures, Pictures] = ("full frames", "hand crops")
_THIRD_PERSON: dict[Pictures, int] = {"one thing": 1, "several things": 4}
"""Kind of picture → the most things in it."""

_UNSEEN = INSTANCES["pretraining"][-200:]


@dataclass(frozen=True)
class Row:
    """Zero-shot numbers of a label on one kind of picture.

    Attributes:
        domain: 'epic' or 'ego4d'.
        label: 'noun' or 'verb'.
        pictures: 'one thing' and 'several things' are third-person pictures, 'full frames' and 'hand crops' are of
            first-person clips.
        numbers: the measured numbers.
    """

    domain: str
    label: Label
    pictures: Pictures
    numbers: ZeroShot

    def cells(self) -> list[str]:
        """Format the row for a table with the heads :data:`COLUMNS`."""
        found = self.numbers
        low, high = found.gain_interval
        return [
            self.domain,
            f"{self.label}s",
            self.pictures,
            f"{found.top1:.1f}",
            *(f"{value:.3f}" for value in (found.loss, found.temperature, found.best_loss, found.chance_loss)),
            f"{found.gain:.3f} ({low:.3f} to {high:.3f})",
            *(f"{value:.3f}" for value in (found.own_cosine, found.all_cosine, found.text_cosine)),
            verdict(found.informative),
        ]


@dataclass(frozen=True)
class Measured:
    """Zero-shot numbers of an encoder on drawn pictures.

    Attributes:
        seeds: seeds of the pictures and of the worlds.
        logit_scale: τ of the encoder.
        rows: one per domain, label and kind of picture.
    """

    seeds: tuple[int, ...]
    logit_scale: float
    rows: tuple[Row, ...]

    def informative(self) -> dict[tuple[str, Label], bool]:
        """Return whether each (domain, label) is informative on clips.

        It is so if both its full frames and its hand crops are.
        """
        found: dict[tuple[str, Label], bool] = {}
        for row in self.rows:
            if row.pictures in _OF_CLIPS:
                key = (row.domain, row.label)
                found[key] = found.get(key, True) and row.numbers.informative
        return found

    def too_few(self) -> bool:
        """Return whether clips or recordings are too few for an interval."""
        of_clips = [row.numbers for row in self.rows if row.pictures in _OF_CLIPS]
        return any(one.clips < MIN_CLIPS or one.recordings < MIN_RECORDINGS for one in of_clips)

    def plain(self, encoder: str) -> dict[str, Any]:
        """Return all numbers as plain values, for JSON.

        Args:
            encoder: name of the encoder with its weights' hash, as of :func:`describe_encoder`.
        """
        return {
            "encoder": encoder,
            "world_version": VERSION,
            "seeds": list(self.seeds),
            "frames": FRAMES,
            "logit_scale": self.logit_scale,
            "verdicts": [
                {"domain": domain, "label": label, "verdict": verdict(good)}
                for (domain, label), good in self.informative().items()
            ],
            "rows": [
                {
                    "domain": row.domain,
                    "label": row.label,
                    "pictures": row.pictures,
                    **asdict(row.numbers),
                    "verdict": verdict(row.numbers.informative),
                }
                for row in self.rows
            ],
        }


def verdict(informative: bool) -> str:
    """Return the verdict in words."""
    return "informative" if informative else "not informative"


def measure_encoder(encoder: Any, seeds: Sequence[int], clips: int, progress: Progress) -> Measured:
    """Measure zero-shot classification of every domain and label.

    The vectors of a clip's frames are averaged as unit vectors. Class texts are the bare names.

    Args:
        encoder: from :func:`pipelines.embed.encoders.load_encoder`.
        seeds: seeds of the pictures and of the worlds.
        clips: number of clips per domain and seed, and of pictures per kind of picture.
        progress: updated with each clip.
    """
    rows = []
    for domain in (EPIC, EGO4D):
        nouns, verbs = encoder.encode_texts(list(domain.nouns)), encoder.encode_texts(list(domain.verbs))
        for name, most in _THIRD_PERSON.items():
            vectors, labels = _of_pictures(encoder, domain, most, seeds, clips)
            alone = Recordings.from_ids([f"{number:06}" for number in range(len(labels))])
            found = measure_zero_shot(vectors, nouns, labels, alone, encoder.logit_scale)
            rows.append(Row(domain.name, "noun", name, found))
        planned = _planned(domain, seeds, clips)
        recordings = Recordings.from_ids([recording for recording, _ in planned])
        noun = np.array([domain.nouns.index(clip.noun) for _, clip in planned])
        verb = np.array([domain.verbs.index(clip.verb) for _, clip in planned])
        shown = _of_clips(encoder, domain, [clip for _, clip in planned], progress)
        of_label: tuple[tuple[Label, np.ndarray, np.ndarray], ...] = (("noun", nouns, noun), ("verb", verbs, verb))
        for label, texts, labels in of_label:
            for kind in _OF_CLIPS:
                found = measure_zero_shot(shown[kind], texts, labels, recordings, encoder.logit_scale)
                rows.append(Row(domain.name, label, kind, found))
    return Measured(tuple(seeds), encoder.logit_scale, tuple(rows))


def _of_pictures(
    encoder: Any, domain: Domain, most: int, seeds: Sequence[int], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Embed third-person pictures: [seeds·count, D], and their nouns."""
    vectors, labels = [], []
    for seed in seeds:
        rng = np.random.default_rng((seed, most, len(domain.name)))
        shown = [_third_person(domain, most, rng) for _ in range(count)]
        vectors.append(_vectors(encoder, [picture for picture, _ in shown]))
        labels += [domain.nouns.index(noun) for _, noun in shown]
    return np.concatenate(vectors), np.array(labels)


def _planned(domain: Domain, seeds: Sequence[int], count: int) -> list[tuple[str, ClipSpec]]:
    """Plan test clips of each seed, each with its recording."""
    return [
        (f"{seed} {_recording(video, domain)}", clip)
        for seed in seeds
        for video in plan_world(domain, Size(0, count, PER_VIDEO), seed)
        for clip in video.clips
    ]


def _recording(video: PlannedVideo, domain: Domain) -> str:
    """Return the recording as the dataset counts it: Ego4D cuts all videos of a person from one."""
    return video_uid(video) if domain is EGO4D else video_name(video)


def _of_clips(
    encoder: Any, domain: Domain, clips: Sequence[ClipSpec], progress: Progress
) -> dict[Pictures, np.ndarray]:
    """Embed full frames and hand crops of M clips, each [M, D]."""
    full, hand = [], []
    progress.start(domain.name, len(clips), "clips")
    for clip in clips:
        frames, crops = _first_person(clip, domain)
        vectors = unit(_vectors(encoder, frames + crops))
        full.append(vectors[: len(frames)].mean(axis=0))
        hand.append(vectors[len(frames) :].mean(axis=0))
        progress.advance()
    progress.finish()
    return {"full frames": np.stack(full), "hand crops": np.stack(hand)}


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
    return np.asarray(encoder.embed([encoder.preprocess(np.ascontiguousarray(picture)) for picture in pictures]))
