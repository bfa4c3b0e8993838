"""Write the page that shows a dataset before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import UsageError
from data_manifests.schema import LABELS, Label
from data_manifests.times import clock_of
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.workspace import Workspace
from pipelines.look.checks import checks
from pipelines.look.class_bars import SHOWN, class_bars, length_bins
from pipelines.look.options import LookOptions
from pipelines.look.split_facts import SplitFacts, split_facts
from pipelines.prepare.classes import read_classes
from pipelines.report.choose import by_hash, fair_shares, in_turn
from pipelines.report.html_templates import html_environment
from pipelines.report.strips import Strip, strips, within_budget

_BUDGET = 12_000_000
_NO_HAND = 4  # every fourth place, as far as there are clips without a hand


@dataclass(frozen=True)
class ShownClip:
    """Clip on the page.

    Attributes:
        split: its split.
        clip_id: of the clip.
        video_id: of its video.
        start_s: in seconds of the video.
        stop_s: in seconds of the video; None for the end of the video.
        labels: label → name of its class, and the words as annotated where they are others.
        narration: '' where there is none.
        hand: whether a frame has a hand; None where it is not known.
        tokens: what the filters find it by.
        strip: its pictures; None where there are none.
    """

    split: str
    clip_id: str
    video_id: str
    start_s: float
    stop_s: float | None
    labels: dict[Label, tuple[str, str]]
    narration: str
    hand: bool | None
    tokens: str
    strip: Strip | None


def write_look(workspace: Workspace, options: LookOptions) -> dict[str, Any]:
    """Write the page of a dataset, ``reports/look-<dataset>/index.html``.

    The same artifacts give the same bytes.

    Returns:
        'html' is the path of the page. 'splits' are the counts of each split, 'checks' what to check before training,
        'next' the commands that add what is missing to the page.

    Raises:
        UsageError: the name would leave the reports folder.
        MissingUpstream: the dataset or the split is not prepared.
        DamagedShard: a shard is damaged on disk.
    """
    folder = workspace.look(options.dataset) if options.name is None else workspace.report(options.name)
    if options.name is not None and (Path(options.name).name != options.name or options.name in ("", ".", "..")):
        raise UsageError(f"--name {options.name}: expected a folder name, not a path")
    chosen = workspace.choose(options.dataset, [options.split] if options.split else None)
    facts = [split_facts(workspace, options.dataset, split) for _, split in chosen]
    names = {label: read_classes(workspace, options.dataset, label).column("name").to_pylist() for label in LABELS}
    found = checks(facts)
    text = _html(options.dataset, facts, names, found, _shown(facts, names, options.clips))
    with replace_atomically(folder / "index.html") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return {
        "html": str(folder / "index.html"),
        "splits": [_plain(item) for item in facts],
        "checks": found,
        "next": [command for _, _, command in _missing(facts)],
    }


def _shown(facts: Sequence[SplitFacts], names: dict[Label, list[str]], count: int) -> list[ShownClip]:
    """Choose clips and make their strips, in the order of the splits."""
    shares = fair_shares([len(item.clips.clip_ids) for item in facts], count)
    orders = [_order(item, share) for item, share in zip(facts, shares, strict=True)]
    shown, left = [], _BUDGET
    for number, (item, order) in enumerate(zip(facts, orders, strict=True)):
        made = strips(item.pictures, order) if item.pictures else {}
        kept = within_budget(made, order, left // (len(facts) - number))
        left -= sum(strip.size for strip in kept.values())
        shown += [clip for clip in _clips(item, order, names, kept) if clip.clip_id in kept or clip.clip_id not in made]
    return shown


def _order(item: SplitFacts, count: int) -> list[str]:
    """Choose clips of a split: verbs in turn, and some clips without a hand."""
    of_verb: dict[int, list[str]] = {}
    for clip_id, verb in zip(item.clips.clip_ids, item.clips.labels["verb"], strict=True):
        of_verb.setdefault(int(verb), []).append(clip_id)
    groups = [by_hash(of_verb[verb]) for verb in sorted(of_verb, key=lambda verb: (-len(of_verb[verb]), verb))]
    without = by_hash(item.hands.clips_without)[: count // _NO_HAND] if item.hands else []
    others = in_turn(groups, count)
    return list(dict.fromkeys([*others[: count - len(without)], *without, *others]))[:count]


def _clips(
    item: SplitFacts, order: Sequence[str], names: dict[Label, list[str]], made: dict[str, Strip]
) -> list[ShownClip]:
    row_of = {clip_id: row for row, clip_id in enumerate(item.clips.clip_ids)}
    without = set(item.hands.clips_without) if item.hands else None
    shown = []
    for clip_id in order:
        row = row_of[clip_id]
        words = {name: item.words.column(name)[row].as_py() for name in item.words.column_names}
        tokens, labels = [f"split:{item.split}"], {}
        for label in LABELS:
            number = int(item.clips.labels[label][row])
            name, said = names[label][number] if number >= 0 else "", words[label] or ""
            if name:
                labels[label] = name, "" if _letters(said).startswith(_letters(name)) else said
                tokens.append(f"{label}:{number}")
        hand = None if without is None or clip_id not in made else clip_id not in without
        tokens += [] if hand is None else ["hand:some" if hand else "hand:none"]
        video, narration = item.clips.video_ids[row], words["narration"] or ""
        span = words["start_s"], words["stop_s"]
        strip = made.get(clip_id)
        shown.append(ShownClip(item.split, clip_id, video, *span, labels, narration, hand, " ".join(tokens), strip))
    return shown


def _html(
    dataset: str,
    facts: Sequence[SplitFacts],
    names: dict[Label, list[str]],
    found: Sequence[str],
    shown: Sequence[ShownClip],
) -> str:
    environment = html_environment("pipelines.look", "pipelines.report")
    environment.filters["clock"] = clock_of
    tokens = {token for clip in shown for token in clip.tokens.split()}
    choices = {
        label: sorted((name, number) for number, name in enumerate(names[label]) if f"{label}:{number}" in tokens)
        for label in LABELS
    }
    return environment.get_template("look.html.j2").render(
        dataset=dataset,
        facts=facts,
        people=len({person for item in facts for person in item.clips.participants if person is not None}),
        recordings=len({recording for item in facts for recording in item.clips.recordings}),
        length=_in_words(3600 * sum(item.hours for item in facts)),
        objects=any(mark.kind == "object" for clip in shown if clip.strip for mark in clip.strip.marks),
        checks=found,
        missing=_missing(facts),
        boxes=_boxes(facts),
        clips=shown,
        choices=choices,
        classes=[class_bars(label, names[label], facts) for label in LABELS],
        at_once=SHOWN,
        lengths=length_bins(facts),
    )


def _missing(facts: Sequence[SplitFacts]) -> list[tuple[str, str, str]]:
    """List splits, what they lack and the command for it, once where all splits lack the same."""
    found: dict[tuple[str, str], list[SplitFacts]] = {}
    for item in facts:
        for what, command in item.notices:
            found.setdefault((what, command.replace(f" --split {item.split}", "", 1)), []).append(item)
    missing = []
    for (what, command), items in found.items():
        if len(items) == len(facts) > 1:
            missing.append((" and ".join(item.split for item in items), what, command))
        else:
            missing += [(item.split, *notice) for item in items for notice in item.notices if notice[0] == what]
    return missing


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _boxes(facts: Sequence[SplitFacts]) -> list[str]:
    """Say whose boxes are shown, once where they are the same in all splits."""
    splits: dict[str, list[str]] = {}
    for item in facts:
        if item.hands:
            policy = item.hands.policy
            text = f"the boxes are those of {item.hands.detector} with a score of {policy.hand_threshold:g} or more"
            splits.setdefault(f"{text}, crops with a margin of {policy.margin:g}", []).append(item.split)
    return [f"In {' and '.join(names)} {text}." for text, names in splits.items()]


def _in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _plain(item: SplitFacts) -> dict[str, Any]:
    hands = item.hands
    return {
        "split": item.split,
        "clips": len(item.clips.clip_ids),
        "videos": item.videos,
        "missing_videos": item.missing_videos,
        "recordings": item.recordings,
        "participants": item.participants,
        "hours": item.hours,
        "classes": {label: len(item.counts(label)) for label in LABELS},
        "frames": item.frames,
        "detector": hands.detector if hands else None,
        "hand_rate": hands.rate if hands else None,
        "clips_without_hand": len(hands.clips_without) if hands else None,
        "lost": [vars(lost) for lost in item.lost],
    }
