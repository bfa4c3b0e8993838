"""Print the results of ``xmic evaluate`` as tables.

Numbers are in percent, each with its count of clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xmic_cli import console

Result = Mapping[str, Any]
"""Result of :func:`pipelines.evaluate.stage.evaluate` for one target."""


def print_results(name: str, results: list[dict[str, Any]]) -> None:
    """Print result tables on stdout and notes on stderr.

    A table without rows is left out.
    """
    head = ["dataset", "split", "label"]
    console.table(
        name,
        [*head, "top-1 %", "top-5 %", "class mean %", "any noun %", "ECE %", "hm %", "clips"],
        list(_main_rows(results)),
    )
    parts = [row for result in results for row in _part_rows(result)]
    if parts:
        console.table("shared and novel classes", [*head, "classes", "restricted %", "all compete %", "clips"], parts)
    references = [row for result in results for row in _reference_rows(result)]
    if references:
        console.table(
            "reference rows", [*head, "reference", "top-1 %", "shared %", "novel %", "hm %", "clips"], references
        )
    own = [row for result in results for row in _epic_rows(result)]
    if own:
        console.table("EPIC-KITCHENS-100's own", [*head, "clips of", "top-1 %", "top-5 %", "clips"], own)
    for target in dict.fromkeys(result["run"]["select_target"] for result in results if result["run"]["leaking"]):
        console.note(f"warning: leaking: the epoch was chosen by labelled clips of {target}")
    for result in results:
        _notes(result)


def harmonic_means(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compute the harmonic means of within and cross top-1.

    Returns:
        One dictionary per cross target and label: the target, ``label``, ``hm`` and its 95 % ``interval``, in percent.
    """
    from pipelines.evaluate.intervals import harmonic, interval, resampled
    from pipelines.evaluate.metrics import harmonic_mean

    within = next((result for result in results if result["within"]), None)
    means = []
    for result in results:
        if within is None or result is within:
            continue
        for label, numbers in result["labels"].items():
            own = within["labels"][label]
            if own["top1"] is None or numbers["top1"] is None:
                continue
            draws = harmonic(resampled(own["recordings"], 0), resampled(numbers["recordings"], 1))
            mean = harmonic_mean(own["top1"], numbers["top1"])
            means.append({**result["target"], "label": label, "hm": mean, "interval": interval(draws)})
    return means


def _main_rows(results: list[dict[str, Any]]) -> Iterator[list[str]]:
    means = {(m["dataset"], m["split"], m["label"]): m for m in harmonic_means(results)}
    for result in results:
        target = _target(result)
        for label, numbers in result["labels"].items():
            mean = means.get((*target, label), {})
            any_noun = (numbers.get("any_noun") or {}).get("percent")
            error = (numbers["calibration"] or {}).get("ece")
            # The interval of a cross target uses the same draws as its harmonic mean, as in the report.
            row = [*target, label, _with_interval(numbers, 0 if result["within"] else 1), percent(numbers["top5"])]
            row += [percent(numbers["class_mean"]), percent(any_noun), percent(error)]
            yield [*row, percent(mean.get("hm")) + _ends(mean.get("interval")), _clips(numbers)]
        actions = result["actions"]
        if actions and actions["n_official"]:
            row = [*target, "action", _with_interval(actions, 0 if result["within"] else 1)]
            yield [*row, percent(actions["top5"]), *["–"] * 4, _clips(actions)]
            for name in ("seen", "unseen"):
                if actions[name]:
                    row = [*target, f"{name} action", percent(actions[name]["percent"])]
                    yield [*row, *["–"] * 5, _clips(actions[name])]


def _part_rows(result: Result) -> Iterator[list[str]]:
    for label, numbers in result["labels"].items():
        for part, found in numbers["parts"].items():
            if found:
                forms = [percent((found[form] or {}).get("percent")) for form in ("restricted", "unrestricted")]
                yield [*_target(result), label, f"{part} ({found['classes']})", *forms, _clips(found["unrestricted"])]
        if numbers["shared_novel_hm"]:
            means = [percent(numbers["shared_novel_hm"][form]) for form in ("restricted", "unrestricted")]
            yield [*_target(result), label, "hm of shared and novel", *means, ""]
        called = numbers["novel_called_shared"]
        if called:
            yield [*_target(result), label, "novel called shared", "", percent(called["percent"]), _clips(called)]


def _reference_rows(result: Result) -> Iterator[list[str]]:
    for label, numbers in result["labels"].items():
        for name, found in numbers["references"].items():
            if found is None:
                continue
            title = name.replace("_", " ") + (" (oracle)" if found["oracle"] else "")
            forms = [
                percent(((found.get("parts", {}).get(part) or {}).get("restricted") or {}).get("percent"))
                for part in ("shared", "novel")
            ]
            mean = (found.get("shared_novel_hm") or {}).get("restricted")
            yield [*_target(result), label, title, percent(found["percent"]), *forms, percent(mean), _clips(found)]


def _epic_rows(result: Result) -> Iterator[list[str]]:
    for name, of_labels in (result["epic"] or {}).items():
        for label, found in of_labels.items():
            numbers = [percent(found["percent"]), percent(found.get("top5"))]
            yield [*_target(result), label, name.replace("_", " "), *numbers, _clips(found)]


def _notes(result: Result) -> None:
    target = " ".join(_target(result))
    if not result["made"]:
        console.note(f"{target}: nothing to do, the predictions were up to date")
    if result["clips_file"]:
        listed = result["clips_file"]
        console.note(f"{target}: over the {listed['clips']} listed clips only (sha256 {listed['sha256'][:12]})")
    for weights in result["random_weights"]:
        console.note(f"warning: {weights} has random weights; these numbers mean nothing")
    for encoder, dataset in result["pretrained_on"].items():
        console.note(f"{encoder} was pretrained on {dataset}")
    for item in result["mixed"]:
        console.note(f"warning: mixed {item['what']}: run {item['run']}, target {item['target']}")


def _with_interval(numbers: Result, seed: int) -> str:
    from pipelines.evaluate.intervals import interval, resampled, too_few

    ends = _ends(interval(resampled(numbers["recordings"], seed)))
    return percent(numbers["top1"]) + ends + (" (few)" if ends and too_few(numbers["recordings"]) else "")


def _ends(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" [{interval[0]:.1f}, {interval[1]:.1f}]"


def _target(result: Result) -> tuple[str, str]:
    return result["target"]["dataset"], result["target"]["split"]


def _clips(numbers: Result) -> str:
    share = f"{numbers['n_evaluated']}/{numbers['n_official']}"
    return f"{share}*" if numbers["n_evaluated"] < numbers["n_official"] else share


def percent(value: float | None) -> str:
    """Format a percentage with two decimals; a dash without a number."""
    return "–" if value is None else f"{value:.2f}"
