"""Print the results of ``xmic evaluate``: percentages, each with its clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xmic_cli import console

if TYPE_CHECKING:
    from pipelines.evaluate.evaluation import Evaluation, HarmonicMean
    from pipelines.evaluate.metrics_file import Actions, Counts, Metrics, Numbers


def print_results(name: str, results: Sequence[Evaluation]) -> None:
    """Print result tables on stdout and notes on stderr.

    A table without rows is left out.
    """
    every = [result.metrics for result in results]
    head = ["dataset", "split", "label"]
    console.table(
        name,
        [*head, "top-1 %", "top-5 %", "class mean %", "any noun %", "ECE %", "hm %", "clips"],
        list(_main_rows(every)),
    )
    parts = [row for metrics in every for row in _part_rows(metrics)]
    if parts:
        console.table("shared and novel classes", [*head, "classes", "restricted %", "all compete %", "clips"], parts)
    references = [row for metrics in every for row in _reference_rows(metrics)]
    if references:
        console.table(
            "reference rows", [*head, "reference", "top-1 %", "shared %", "novel %", "hm %", "clips"], references
        )
    own = [row for metrics in every for row in _epic_rows(metrics)]
    if own:
        console.table("EPIC-KITCHENS-100's own", [*head, "clips of", "top-1 %", "top-5 %", "clips"], own)
    for target in dict.fromkeys(metrics.run.select_target for metrics in every if metrics.run.leaking):
        console.note(f"warning: leaking: the epoch was chosen by labelled clips of {target}")
    for result in results:
        _notes(result)


def means_as_dicts(means: Sequence[HarmonicMean]) -> list[dict[str, Any]]:
    """Return the harmonic means as ``--json`` prints them."""
    return [
        {
            "dataset": mean.target.dataset,
            "split": mean.target.split,
            "label": mean.label,
            "hm": mean.value,
            "interval": mean.interval,
            "interval_kind": mean.interval_kind,
        }
        for mean in means
    ]


def _main_rows(every: Sequence[Metrics]) -> Iterator[list[str]]:
    from pipelines.evaluate.evaluation import harmonic_means

    means = {(mean.target, mean.label): mean for mean in harmonic_means(every)}
    for metrics in every:
        target = _target(metrics)
        for label, numbers in metrics.labels.items():
            mean = means.get((metrics.target, label))
            any_noun = numbers.any_noun.percent if numbers.any_noun else None
            error = numbers.calibration.ece if numbers.calibration else None
            row = [*target, label, _top1(metrics, numbers), percent(numbers.top5)]
            row += [percent(numbers.class_mean), percent(any_noun), percent(error)]
            yield [*row, _mean(mean), _clips(numbers)]
        actions = metrics.actions
        if actions and actions.n_official:
            yield [*target, "action", _top1(metrics, actions), percent(actions.top5), *["–"] * 4, _clips(actions)]
            for name, pairs in (("seen", actions.seen), ("unseen", actions.unseen)):
                if pairs:
                    yield [*target, f"{name} action", percent(pairs.percent), *["–"] * 5, _clips(pairs)]


def _part_rows(metrics: Metrics) -> Iterator[list[str]]:
    target = _target(metrics)
    for label, numbers in metrics.labels.items():
        for part, found in numbers.parts.items():
            if found and found.unrestricted:
                forms = [percent(form.percent if form else None) for form in (found.restricted, found.unrestricted)]
                yield [*target, label, f"{part} ({found.classes})", *forms, _clips(found.unrestricted)]
        means = numbers.shared_novel_hm
        if means:
            yield [*target, label, "hm of shared and novel", percent(means.restricted), percent(means.unrestricted), ""]
        called = numbers.novel_called_shared
        if called:
            yield [*target, label, "novel called shared", "", percent(called.percent), _clips(called)]


def _reference_rows(metrics: Metrics) -> Iterator[list[str]]:
    for label, numbers in metrics.labels.items():
        for name, found in numbers.references.items():
            if found is None:
                continue
            title = name.replace("_", " ") + (" (oracle)" if found.oracle else "")
            restricted = (part.restricted if part else None for part in map(found.parts.get, ("shared", "novel")))
            forms = [percent(form.percent if form else None) for form in restricted]
            mean = found.shared_novel_hm.restricted if found.shared_novel_hm else None
            yield [*_target(metrics), label, title, percent(found.percent), *forms, percent(mean), _clips(found)]


def _epic_rows(metrics: Metrics) -> Iterator[list[str]]:
    for name, of_labels in (metrics.epic or {}).items():
        for label, found in of_labels.items():
            numbers = [percent(found.percent), percent(found.top5)]
            yield [*_target(metrics), label, name.replace("_", " "), *numbers, _clips(found)]


def _notes(result: Evaluation) -> None:
    metrics = result.metrics
    target, listed = str(metrics.target), metrics.clips_file
    if not result.made:
        console.note(f"{target}: nothing to do, the predictions were up to date")
    if listed:
        console.note(f"{target}: over the {listed.clips} listed clips only (sha256 {listed.sha256[:12]})")
    for weights in metrics.random_weights:
        console.note(f"warning: {weights} has random weights; these numbers mean nothing")
    for encoder, dataset in metrics.pretrained_on.items():
        console.note(f"{encoder} was pretrained on {dataset}")
    for item in metrics.mixed:
        console.note(f"warning: mixed {item.what}: run {item.run}, target {item.target}")


def _top1(metrics: Metrics, numbers: Numbers | Actions) -> str:
    ends = _ends(metrics.interval(numbers))
    notes = ["Wilson"] * (numbers.interval_kind == "wilson") + ["few"] * numbers.few
    return percent(numbers.top1) + ends + (f" ({', '.join(notes)})" if ends and notes else "")


def _mean(mean: HarmonicMean | None) -> str:
    if mean is None:
        return percent(None)
    return percent(mean.value) + (_ends(mean.interval) or " (no interval)")


def _ends(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:.1f}, {interval[1]:.1f}]"


def _target(metrics: Metrics) -> tuple[str, str]:
    return metrics.target.dataset, metrics.target.split


def _clips(counts: Counts) -> str:
    return f"{counts.n_evaluated}/{counts.n_official}{'*' * counts.partial}"


def percent(value: float | None) -> str:
    """Format a percentage with two decimals, or a dash without a number."""
    return "–" if value is None else f"{value:.2f}"
