"""Hold the answers for one clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_manifests.schema import Label


@dataclass(frozen=True)
class Answer:
    """Word with its probability and score for a clip.

    Attributes:
        name: the word.
        probability: softmax over the words of the list.
        score: the run's logit.
    """

    name: str
    probability: float
    score: float


@dataclass(frozen=True)
class ClipAnswers:
    """Answers of a run for one clip.

    Attributes:
        video_id: the video.
        start_s: the start, seconds from the first displayed frame.
        stop_s: the end, likewise; None only if the video could not be read.
        name: the user's name of the clip.
        answers: label → the best words, best first; empty for a clip that failed.
        none_of_these: the labels whose best word is not probable enough.
        failed: the reason why there is no answer; None if there is one.
    """

    video_id: str
    start_s: float
    stop_s: float | None
    name: str | None
    answers: Mapping[Label, Sequence[Answer]]
    none_of_these: tuple[Label, ...]
    failed: str | None

    @property
    def nouns(self) -> Sequence[Answer]:
        """Best nouns, best first; empty for a run without a noun head."""
        return self.answers.get("noun", ())

    @property
    def verbs(self) -> Sequence[Answer]:
        """Best verbs, best first; empty for a run without a verb head."""
        return self.answers.get("verb", ())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for a line of JSON."""
        values = {"video": self.video_id, "start_s": self.start_s, "stop_s": self.stop_s, "name": self.name}
        words = {f"{label}s": [vars(answer) for answer in answers] for label, answers in self.answers.items()}
        return {**values, **words, "none_of_these": list(self.none_of_these), "failed": self.failed}
