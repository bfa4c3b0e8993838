"""What a run has cost so far, over all sittings it took: kept in a file, since a run may be stopped and go on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.engine.atomic import replace_atomically


@dataclass
class Ledger:
    """The cost of one run.

    Attributes:
        file: where it is kept.
        sittings: of training: 'seconds' in all, 'steps' and the 'step_seconds' between them. None = one that was
            killed, so that nobody knows how long it took; it is written first and replaced when a sitting ends.
        evaluations: dataset → 'seconds' and 'clips', where this experiment computed the scores.
        peaks: 'peak_mb' of any sitting and 'libraries_mb' of the process before it read a thing; on CUDA also
            'cuda_mb', what tensors took at most.
    """

    file: Path
    sittings: list[dict[str, float] | None] = field(default_factory=list)
    evaluations: dict[str, dict[str, float]] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)

    @classmethod
    def open(cls, file: Path, run: Path) -> Ledger:
        """The ledger of a run, or an empty one; where a run is there already without one, its time is not known."""
        if file.is_file():
            return cls(file, **json.loads(file.read_text(encoding="utf-8")))
        return cls(file, [None] if run.is_dir() else [])

    def save(self) -> None:
        said = {"sittings": self.sittings, "evaluations": self.evaluations, "peaks": self.peaks}
        with replace_atomically(self.file) as temporary:
            temporary.write_text(json.dumps(said, sort_keys=True) + "\n", encoding="utf-8")

    def peak(self, name: str, megabytes: float) -> None:
        """Remember the highest."""
        self.peaks[name] = max(megabytes, self.peaks.get(name, 0.0))

    def cost(self, targets: int) -> dict[str, Any]:
        """For the result.

        Args:
            targets: datasets that were to be evaluated.

        Returns:
            'training_seconds', of all sittings together, None where one was killed; 'sittings'; 'seconds_per_step' of
            those that were not killed; 'evaluation_seconds' and 'evaluation_clips', None where not all scores were
            computed here; and the peaks.
        """
        known = [sitting for sitting in self.sittings if sitting is not None]
        steps = sum(sitting["steps"] for sitting in known)
        whole = len(self.evaluations) == targets
        scored = self.evaluations.values()
        return {
            "training_seconds": sum(s["seconds"] for s in known) if len(known) == len(self.sittings) else None,
            "sittings": len(self.sittings),
            "seconds_per_step": sum(sitting["step_seconds"] for sitting in known) / steps if steps else None,
            "evaluation_seconds": sum(one["seconds"] for one in scored) if whole else None,
            "evaluation_clips": sum(int(one["clips"]) for one in scored) if whole else None,
            **self.peaks,
        }
