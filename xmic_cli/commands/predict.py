"""``xmic predict``: a trained run, or an encoder alone, on new footage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines.chain.executor_options import ExecutorOptions
from pipelines.engine.options import Doc, Group
from pipelines.predict.options import Overrides
from xmic_cli import console
from xmic_cli.completion import complete_runs
from xmic_cli.options import (
    Device,
    Json,
    MaxFailures,
    Offline,
    Trust,
    Workers,
    WorkspaceOption,
    machine_of,
    open_workspace,
)
from xmic_cli.spread import spread

if TYPE_CHECKING:
    from data_manifests.schema import Label
    from pipelines.predict.answer import ClipAnswers
    from pipelines.predict.answers import Answers

_CLIPS, _WORDS, _OUTPUT = "Which clips", "Which words", "Output"
NONE = "none of these"


@spread
def predict(
    context: typer.Context,
    videos: Annotated[list[Path], typer.Argument(help="Video files.", metavar="VIDEO...")],
    run: Annotated[
        str | None,
        typer.Option(
            help="Run name, folder or hf://owner/repo. (default: the newest; none with --encoder)",
            autocompletion=complete_runs,
        ),
    ] = None,
    segments: Annotated[
        Path | None,
        typer.Option(
            help="Table of clips: start and stop (seconds, m:ss or h:mm:ss), or start_frame and stop_frame with --fps; "
            "optionally name; video if there are several.",
            rich_help_panel=_CLIPS,
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="Length of sliding windows: seconds, m:ss or, with --fps, frames (48f).",
            metavar="TIME",
            rich_help_panel=_CLIPS,
        ),
    ] = None,
    stride: Annotated[
        str | None,
        typer.Option(
            help="Time between the starts of windows. (default: --window)", metavar="TIME", rich_help_panel=_CLIPS
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second of the videos, for times in frames.", rich_help_panel=_CLIPS)
    ] = None,
    nouns: Annotated[
        Path | None,
        typer.Option(
            help="File of nouns to choose from, one per line, # for comments. (default: classes of the run's dataset)",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    verbs: Annotated[Path | None, typer.Option(help="File of verbs to choose from.", rich_help_panel=_WORDS)] = None,
    noun: Annotated[
        list[str] | None, typer.Option(help="One noun to choose from; may be repeated.", rich_help_panel=_WORDS)
    ] = None,
    verb: Annotated[
        list[str] | None, typer.Option(help="One verb to choose from; may be repeated.", rich_help_panel=_WORDS)
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Answers per clip and label.", rich_help_panel=_WORDS)] = 5,
    none_below: Annotated[
        float | None,
        typer.Option(
            help="Print 'none of these' where the best word's probability is below this. A probability is the softmax "
            "of the run's logits (cosines times the encoder's logit scale) over the words to choose from. It compares "
            "a word with the others of the list and does not say how often it is right; of a single word it is 1.",
            rich_help_panel=_WORDS,
        ),
    ] = None,
    format: Annotated[
        Literal["table", "jsonl", "csv"] | None,
        Group(_OUTPUT),
        Doc("Format of the answers. (default: by the ending of --out, else table)"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the answers to this file (.jsonl, .csv).", rich_help_panel=_OUTPUT)
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a copy of each video (MP4, no sound) with hand boxes, crops, the best 3 words and a "
            "timeline, with a contact sheet and subtitles.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Table in the form of --segments with true nouns and verbs, to be drawn by --annotate. (default: "
            "columns noun and verb of --segments)",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    *,
    overrides: Overrides,
    where: ExecutorOptions,
    cache: Annotated[
        Path | None,
        typer.Option(help="Keep frames and vectors in this folder. (default: cache/predict/… in the workspace)"),
    ] = None,
    trust: Trust = False,
    workspace: WorkspaceOption = None,
    max_failures: MaxFailures = "5%",
    workers: Workers = None,
    device: Device = "auto",
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Predict nouns and verbs in new videos with a trained run.

    Without a run, an encoder compares the video with the words that you give (zero-shot): --encoder SPEC --noun cup
    --verb "pick up". It looks at full frames, or at hand crops with --detector yolo.

    Clips are whole files, the rows of a table, or sliding windows. Nouns and verbs are those of the run's dataset or
    any words you give.

    Frames, hands and vectors are made as by xmic decode, detect-hands and embed, and kept. So a clip has the scores
    that xmic evaluate gives it, and other words for the same videos take little time.
    """
    form = _format(format, out, json)
    if truth is not None and annotate is None:
        from data_manifests.errors import UsageError

        raise UsageError(f"--truth {truth}: true labels are drawn by --annotate FOLDER; add it, or leave --truth out.")
    from pipelines.engine.stage import RunPolicy, parse_max_failures
    from pipelines.predict import load_run, load_zero_shot
    from pipelines.predict.words import read_words
    from xmic_cli.executors import executor_of

    length, step = _time("--window", window, fps), _time("--stride", stride, fps)
    own_nouns, own_verbs = read_words("noun", nouns, noun or []), read_words("verb", verbs, verb or [])
    progress = console.progress()
    root = open_workspace(context, workspace).root
    machine = machine_of(workers, device, offline)
    shared: dict[str, Any] = {
        "machine": machine,
        "policy": RunPolicy(max_failures=parse_max_failures(max_failures)),
        "progress": progress,
    }
    with executor_of(where, workers, machine) as executor:
        if run is None and overrides.encoder is not None:
            predictor = load_zero_shot(overrides.encoder, root, **_zero_shot(overrides), **shared, executor=executor)
        else:
            predictor = load_run(root, run, **vars(overrides), trust=trust, **shared, executor=executor)
        predictor.check_words(own_nouns, own_verbs)
        footage = predictor.embed(
            videos, segments=segments, window_s=length, stride_s=step, fps=fps, truth=truth, cache=cache
        )
        answers = predictor.predict(footage, nouns=own_nouns, verbs=own_verbs, top=top, none_below=none_below)
    drawn: list[Path] = []
    if annotate is not None:
        from pipelines.predict.annotate import annotate as draw

        drawn = draw(footage, answers, annotate, progress)
    if json:
        console.emit({**_facts(answers), "annotated": drawn, "clips": [clip.as_dict() for clip in answers]}, True)
    else:
        _show(answers, form, out)
    for line in [*answers.warnings, *_notes(answers, out, drawn)]:
        console.note(line)
    if answers.problem is not None:
        raise answers.problem


def _time(option: str, written: str | None, fps: float | None) -> float | None:
    """Parse the time of an option, seconds; None without one."""
    if written is None:
        return None
    from data_manifests.errors import UsageError
    from data_manifests.times import parse_time

    try:
        return parse_time(written, fps)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _zero_shot(overrides: Overrides) -> dict[str, Any]:
    """Return the options of the hands; refuse those that only a run has."""
    from data_manifests.errors import UsageError

    for option, value in (("--v2", overrides.v2), ("--allow-mixed", overrides.allow_mixed)):
        if value:
            raise UsageError(
                f"{option}: it is for a run, and --encoder without --run predicts without one. Leave {option} out, or "
                "name the run with --run."
            )
    return {"detector": overrides.detector, "weights": overrides.weights, "boxes": overrides.boxes}


def _format(given: str | None, out: Path | None, json: bool) -> str:
    """Choose the output format before the work begins.

    Raises:
        UsageError: the output cannot be written in the given form.
    """
    from data_manifests.errors import UsageError

    if json and (given is not None or out is not None):
        raise UsageError("--json prints one JSON document; leave out --format and --out, or take --format jsonl.")
    if out is None:
        return given or "table"
    form = given or out.suffix.removeprefix(".").lower()
    if form not in ("jsonl", "csv"):
        raise UsageError(f"--out {out}: expected a file that ends in .jsonl or .csv, or --format jsonl or csv")
    return form


def _show(answers: Answers, form: str, out: Path | None) -> None:
    if form == "table":
        console.table(answers.run, ["video", "start s", "stop s", "name", *_labels(answers)], list(_cells(answers)))
        return
    texts = _json_lines(answers) if form == "jsonl" else iter([_csv(answers)])
    if out is None:
        for text in texts:
            console.print_text(text)
        return
    from pipelines.engine.atomic import replace_atomically

    with replace_atomically(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(texts)


def _labels(answers: Answers) -> list[str]:
    return [f"{label}s" for label in answers.names]


def _cells(answers: Iterable[ClipAnswers]) -> Iterator[list[str]]:
    for clip in answers:
        stop = "" if clip.stop_s is None else f"{clip.stop_s:.2f}"
        if clip.failed is not None:
            words = [f"failed: {clip.failed}"]
        else:
            words = [_words(clip, label) for label in clip.answers]
        yield [clip.video_id, f"{clip.start_s:.2f}", stop, clip.name or "", *words]


def _words(clip: ClipAnswers, label: Label) -> str:
    words = ", ".join(f"{answer.name} {answer.probability:.2f}" for answer in clip.answers[label])
    return f"{NONE} ({words})" if label in clip.none_of_these else words


def _json_lines(answers: Iterable[ClipAnswers]) -> Iterator[str]:
    import json

    return (json.dumps(clip.as_dict(), ensure_ascii=False) + "\n" for clip in answers)


def _csv(answers: Answers) -> str:
    from pipelines.engine.csv_text import csv_text

    table = answers.to_table()
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return csv_text(table.column_names, ([_cell(value) for value in row] for row in rows))


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _facts(answers: Answers) -> dict[str, Any]:
    problem = None if answers.problem is None else str(answers.problem)
    return {
        "run": answers.run,
        "cache": answers.cache.root,
        "made": answers.made,
        "warnings": answers.warnings,
        "problem": problem,
    }


def _notes(answers: Answers, out: Path | None, drawn: list[Path]) -> list[str]:
    lines = [f"wrote {path}" for path in ([out] if out is not None else []) + drawn]
    return lines if answers.made else [*lines, "nothing to do: frames, vectors and scores were up to date"]
