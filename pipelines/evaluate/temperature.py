"""The temperature of each head of a run, from labels that are not the target's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import Label
from pipelines.engine import stage
from pipelines.evaluate.calibration import Temperature, fit_temperature
from pipelines.evaluate.predictions import predictions_of
from pipelines.train.protocol import on_target

if TYPE_CHECKING:
    from pipelines.evaluate.stage import EvaluateStage


def temperatures_of(item: EvaluateStage) -> dict[Label, Temperature]:
    """Fitted on the val split of the run's own dataset where the run is evaluated there already, else 1.

    What is evaluated now is never fitted on, so within the dataset on its val split the temperature is 1.
    """
    own = _source_val(item)
    if own is None:
        return dict.fromkeys(item.run.heads, Temperature())
    predictions = predictions_of(own)
    fitted = {label: predictions.of(label) for label in item.run.heads}
    return {
        label: Temperature(fit_temperature(scored.scores, scored.truth), f"{own.dataset} {own.split}")
        if len(scored.rows)
        else Temperature()
        for label, scored in fitted.items()
    }


def _source_val(item: EvaluateStage) -> EvaluateStage | None:
    """The run's evaluation on the val split of its own dataset, if that is up to date and not what is asked about."""
    source = item.run.config["source"]["dataset"]
    if (item.dataset, item.split) == (source, "val") or "val" not in item.workspace.splits(source):
        return None
    try:
        target, frames, _ = on_target(item.workspace, source, "val", item.run.protocol, allow_mixed=False)
        own = replace(item, dataset=source, split="val", target=target, frames=frames)
        done = stage.inspect(own, own.units()[0]).state is stage.State.DONE
    except (InputError, MissingUpstream):
        return None
    return own if done else None
