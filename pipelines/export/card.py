"""Write the model card of an exported run.

It has the training data, the results with their intervals, limits and licences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import ModelCardData

from data_manifests.schema import Label
from pipelines.engine.markdown import render_template
from pipelines.evaluate.intervals import between
from pipelines.evaluate.metrics_file import Metrics

DRAWN = "drawn"
"""Name of the reader of a world that xmic drew, in whatever format it is written."""

_DATASET_TERMS = {
    DRAWN: "Pocket Kitchens, the training videos: drawn by xmic, under xmic's licence (Apache License 2.0).",
    "epic": "EPIC-KITCHENS-100, the training videos: CC BY-NC 4.0 (non-commercial).",
    "ego4d": "Ego4D, the training videos: the Ego4D licence agreement, signed before the download.",
    "egtea": "EGTEA Gaze+, the training videos: see its authors' page; for research.",
}
_ENCODER_TERMS = {
    "openai": "OpenAI's CLIP weights: MIT licence; its model card advises against untested deployment.",
    "dinov2": "DINOv2 weights: Apache License 2.0.",
    "lavila": "LaViLa weights: pretrained on Ego4D, whose licence agreement applies; code under MIT licence.",
}


@dataclass(frozen=True)
class Card:
    """Content of a model card, as plain values.

    Attributes:
        name: of the run.
        method: and preset: as on the command line.
        encoder: spec of the classifying encoder, and the sha256 of its weights.
        source: 'dataset split'.
        heads: 'nouns', 'verbs'.
        summaries: label → 'clips', 'labelled', 'classes', 'parameters'.
        recipe: in words.
        protocol: what all methods of the comparison share.
        results: one row per target and label.
        warnings: limits of the numbers.
        terms: licences of what it was made from.
        licence: of the exported weights, an SPDX identifier; None when not stated.
    """

    name: str
    method: str
    preset: str
    seed: int
    key: str
    encoder: str
    encoder_sha256: str
    source: str
    heads: Sequence[str]
    summaries: Mapping[Label, Mapping[str, Any]]
    recipe: str
    protocol: Mapping[str, Any]
    versions: Mapping[str, str]
    results: Sequence[Mapping[str, str]]
    warnings: Sequence[str]
    terms: Sequence[str]
    licence: str | None

    def markdown(self) -> str:
        """Format the card as Markdown.

        It begins with the front matter that the Hugging Face hub reads.
        """
        # The results are not in the front matter: there a dataset is named by its id on the hub, which ours have not.
        front = ModelCardData(
            library_name="xmic",
            pipeline_tag="video-classification",
            tags=["egocentric-video", "action-recognition", self.method],
            license=self.licence.lower() if self.licence else None,
        )
        return f"---\n{front.to_yaml()}\n---\n\n{render_template(__package__, 'card.md.j2', card=self)}"


def result_rows(evaluations: Sequence[Metrics]) -> list[dict[str, str]]:
    """Format one row of text per target and label.

    A row has the accuracies, the interval and the clips.
    """
    rows = []
    for metrics in evaluations:
        for label, numbers in metrics.labels.items():
            ends = metrics.interval(numbers)
            rows.append(
                {
                    "target": f"{metrics.target}{'' if metrics.within else ' (cross-dataset)'}",
                    "label": label,
                    "top1": _percent(numbers.top1),
                    "between": between(ends, numbers.interval_kind) or "–",
                    "top5": _percent(numbers.top5),
                    "class_mean": _percent(numbers.class_mean),
                    "clips": f"{numbers.n_evaluated}/{numbers.n_official}",
                }
            )
    return rows


def warnings_of(evaluations: Sequence[Metrics]) -> list[str]:
    """List the limits of the numbers in words.

    They are random weights, a leak, mixed artifacts and missing clips.
    """
    found = [
        f"{name} has random weights: these numbers mean nothing." for m in evaluations for name in m.random_weights
    ]
    found += [
        f"The kept epoch was chosen by labelled clips of {m.run.select_target}: the numbers there are not those of an "
        "unseen dataset."
        for m in evaluations
        if m.run.leaking
    ]
    found += [
        f"{m.target}: {item.what} is {item.target}, the run was trained with {item.run}."
        for m in evaluations
        for item in m.mixed
    ]
    found += [
        f"{m.target}: {numbers.n_official - numbers.n_evaluated} {label} clips are not in the numbers."
        for m in evaluations
        for label, numbers in m.labels.items()
        if numbers.partial
    ]
    return list(dict.fromkeys(found))


def terms_of(reader: str | None, specs: Sequence[str]) -> list[str]:
    """List the licences of what a run was made from.

    Where a licence is not known, the entry names whose terms apply.

    Args:
        reader: 'epic', 'ego4d', 'egtea' or another reader of the training data, or :data:`DRAWN`; None when that is
            not known.
        specs: of its encoders.
    """
    terms = [_DATASET_TERMS.get(reader or "", "The training videos: the terms of whoever recorded them.")]
    for spec in dict.fromkeys(specs):
        known = [text for word, text in _ENCODER_TERMS.items() if word in spec.casefold()]
        own = (
            ["The encoder pocket: made by xmic from its own drawings, under xmic's licence."]
            if spec == "pocket"
            else []
        )
        terms += known or own or [f"The encoder {spec}: the terms of who published its weights."]
    return terms


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
