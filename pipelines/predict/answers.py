"""Make answers of scores: the best words of every clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError, TooManyFailures, UsageError
from data_manifests.schema import Label
from pipelines.decode.stage import DecodeStage
from pipelines.engine.clips import clips_footer, iter_clips
from pipelines.engine.shards import iter_rows, read_footer, read_rows, side_path
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.predictions_file import score_matrix
from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.answer_table import answer_table
from pipelines.predict.reasons import Reasons

_COLUMNS = ("clip_id", "video_id", "start_s", "stop_s", "narration")


@dataclass(frozen=True)
class Answers:
    """Answers of a run for new footage.

    Iterating reads them from disk, one :class:`pipelines.predict.answer.ClipAnswers` at a time.

    Attributes:
        run: name of the run.
        cache: the workspace of the footage.
        frames: decode stage of the footage.
        failures: folders of the artifacts whose failures can leave a clip without an answer, in the order in which
            they are made.
        predictions: file of the scores.
        digest: of these scores.
        names: label → the words, in the order of the scores.
        top: answers per clip.
        none_below: see :meth:`pipelines.predict.run.Predictor.predict`.
        warnings: texts to show with the answers.
        made: number of shards that were made for the answers; 0 if all were there.
        problem: the error of a stage with too many failures; None if there was none.
    """

    run: str
    cache: Workspace
    frames: DecodeStage
    failures: Sequence[Path]
    predictions: Path
    digest: str
    names: Mapping[Label, Sequence[str]]
    top: int
    none_below: float | None
    warnings: Sequence[str]
    made: int
    problem: TooManyFailures | None

    def __iter__(self) -> Iterator[ClipAnswers]:
        """Yield the answers of every clip, in the order of the footage.

        Raises:
            InputError: the scores were replaced by those for other words.
        """
        if read_footer(self.predictions).digest != self.digest:
            raise InputError(
                f"{self.predictions}: these answers were replaced by those for other words; predict again."
            )
        scored = (row for rows in iter_rows(self.predictions) for row in self._scored(rows))
        answered = next(scored, None)
        for clip in iter_clips(self.cache, self.frames.dataset, self.frames.split, _COLUMNS):
            place = (clip["video_id"], clip["start_s"], self._stop(clip), clip["narration"])
            if answered is not None and answered[0] == clip["clip_id"]:
                best = {label: self._best(label, scores) for label, scores in answered[1].items()}
                yield ClipAnswers(*place, best, self._doubtful(best), None)
                answered = next(scored, None)
            else:
                yield ClipAnswers(*place, {}, (), self._why(clip))

    def __len__(self) -> int:
        """Return the number of clips, with or without an answer."""
        return clips_footer(self.cache, self.frames.dataset, self.frames.split).rows

    def to_table(self) -> pa.Table:
        """Make a table with one row per clip.

        See :mod:`pipelines.predict.answer_table` for its columns.
        """
        return answer_table(self, self.ranks)

    def to_pandas(self) -> Any:
        """Make a pandas DataFrame of :meth:`to_table`.

        Raises:
            UsageError: pandas is not installed.
        """
        if find_spec("pandas") is None:
            raise UsageError("to_pandas: pandas is not installed. Run pip install pandas, or take to_table().")
        return self.to_table().to_pandas()

    @property
    def ranks(self) -> dict[Label, int]:
        """Number of answers per clip, by label."""
        return {label: min(self.top, len(names)) for label, names in self.names.items()}

    def _scored(self, rows: pa.Table) -> Iterator[tuple[str, dict[Label, np.ndarray]]]:
        """Yield clip_id and label → scores of each row."""
        matrices = {label: score_matrix(rows, label) for label in self.names}
        for number, clip_id in enumerate(rows.column("clip_id").to_pylist()):
            yield clip_id, {label: matrix[number] for label, matrix in matrices.items()}

    def _best(self, label: Label, scores: np.ndarray) -> list[Answer]:
        shares = softmax(scores)
        order = np.argsort(-scores, kind="stable")[: self.top]
        return [Answer(self.names[label][at], float(shares[at]), float(scores[at])) for at in order]

    def _doubtful(self, best: Mapping[Label, Sequence[Answer]]) -> tuple[Label, ...]:
        if self.none_below is None:
            return ()
        return tuple(label for label, answers in best.items() if answers[0].probability < self.none_below)

    def _stop(self, clip: Mapping[str, Any]) -> float | None:
        if clip["stop_s"] is not None:
            return float(clip["stop_s"])
        facts = self.video_facts.get(clip["video_id"])
        return None if facts is None else float(facts["duration_s"])

    @cached_property
    def video_facts(self) -> dict[str, dict[str, Any]]:
        """Facts of the readable videos: rows of VIDEO_FACTS by video_id."""
        parts = sorted(self.frames.folder.glob("part-*.parquet"))
        rows = (row for part in parts for row in read_rows(side_path(part, "videos")).to_pylist())
        return {row["video_id"]: row for row in rows}

    @cached_property
    def _reasons(self) -> dict[str, Reasons]:
        """Reasons for missing answers, by video_id of each video with a failure."""
        found: dict[str, list[dict[str, Any]]] = {}
        for folder in self.failures:
            for part in sorted(folder.glob("part-*.parquet")):
                for row in read_rows(side_path(part, "failures")).to_pylist():
                    found.setdefault(row["video_id"], []).append(row)
        return {video_id: Reasons(rows, self.video_facts.get(video_id)) for video_id, rows in found.items()}

    def _why(self, clip: Mapping[str, Any]) -> str:
        middle = (clip["start_s"] + (self._stop(clip) or 0.0)) / 2
        return self._reasons.get(clip["video_id"], Reasons((), None)).of(clip["clip_id"], middle)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Compute the softmax of logits in float64.

    Args:
        scores: logits [C].

    Returns:
        Probabilities [C], which add up to one.
    """
    raised = np.exp(scores.astype(np.float64) - float(scores.max()))
    shares: np.ndarray = raised / raised.sum()
    return shares
