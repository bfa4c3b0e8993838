from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from pipelines.engine.workspace import Workspace
from pipelines.report.collect import COLUMNS
from pipelines.report.write import write_report
from tests.pipelines.report.evaluations import both

Make = Callable[..., dict]
Put = Callable[..., Path]
EVIL = '<script>alert("x")</script>'
VOID = {"meta", "br", "line", "rect"}


class Page(HTMLParser):
    """Collects elements and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.script += data

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _written(workspace: Workspace, name: str = "report") -> tuple[str, str]:
    written = write_report(workspace, name)
    return Path(written["html"]).read_text("utf-8"), Path(written["markdown"]).read_text("utf-8")


def test_the_files_stand_in_the_reports_folder(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(), metrics("epic"))
    write_report(workspace, "paper")
    folder = workspace.root / "reports" / "paper"
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert there == ["index.html", "report.md", "tables/results.csv", "tables/table1.csv", "tables/table1.tex"]


def test_the_same_evaluations_give_the_same_bytes_in_any_workspace(
    workspace: Workspace, evaluated: Put, metrics: Make, tmp_path: Path
) -> None:
    evaluated(metrics(), metrics("epic"), metrics(run="b"))
    shutil.copytree(workspace.root / "evaluations", tmp_path / "elsewhere" / "evaluations")
    results = [write_report(space) for space in (workspace, Workspace.open(tmp_path / "elsewhere"))]
    for kind in ("html", "markdown", "csv"):
        first, second = (Path(result[kind]).read_bytes() for result in results)
        assert first == second
        assert str(tmp_path).encode() not in first


def test_page_and_text_name_the_settings_that_tell_two_runs_apart(
    workspace: Workspace, evaluated: Put, configured: Callable[..., None]
) -> None:
    for run, protocol in {"one": {}, "two": {"streams": "full"}}.items():
        configured(run, **protocol)
        evaluated(*both(run={"name": run}, protocol=protocol), *both("zero-shot"))
    page, text = _written(workspace)
    assert "| xmic official (streams=full) | two |" in text
    assert "xmic official (streams=full) trained on ego4d" in text  # against zero-shot
    band, results = page.partition('id="results-noun"')[::2]
    assert '<strong>xmic official</strong> <span class="soft">(streams=full)</span>' in band
    assert "<small>streams=full</small>" in results


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up"])
def test_a_report_can_not_leave_the_reports_folder(
    workspace: Workspace, evaluated: Put, metrics: Make, name: str
) -> None:
    evaluated(metrics())
    with pytest.raises(UsageError, match=re.escape(f"--name {name}: expected a folder name, not a path")):
        write_report(workspace, name)


def test_nothing_from_a_file_becomes_markup(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evil = metrics(
        EVIL,
        EVIL,
        run=EVIL,
        protocol={EVIL: EVIL, "prompt": "`` | ` " + EVIL},
        random_weights=[EVIL],
        mixed=[{"what": EVIL, "run": EVIL, "target": {"a": EVIL}}],
        failures={EVIL: {EVIL: 1}},
        versions={EVIL: EVIL},
        commands=[EVIL],
        source={"dataset": EVIL, "split": EVIL},
    )
    evil["run"] |= {"method": EVIL, "preset": EVIL, "key": EVIL, "recipe": EVIL}
    other = metrics("epic", run=EVIL + "2", versions={"torch": "1"}, protocol={})
    evaluated(evil, other)
    html, markdown = _written(workspace)
    page = Page(html)
    assert [attrs for tag, attrs in page.elements if tag == "script"] == [{}]  # the page's own
    assert "alert(" not in page.script
    assert page.open == []
    assert "&lt;script&gt;" in html
    # In Markdown a tag may stand only inside a code span, which no reader takes for markup.
    outside = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown)
    assert "<" not in outside
    assert "&lt;script&gt;" in outside


def test_a_pipe_in_a_name_does_not_split_a_markdown_cell(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics("a|b", run="x|y`z"))
    _, markdown = _written(workspace)
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    row = next(line for line in table if "x\\|y\\`z" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == len(COLUMNS) + 6 + 1


def test_the_page_needs_nothing_else(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(), metrics("epic"))
    html, _ = _written(workspace)
    page = Page(html)
    assert not {tag for tag, _ in page.elements} & {"link", "img", "iframe", "object"}
    assert all("src" not in attrs for tag, attrs in page.elements)
    assert "url(" not in html
    assert "@import" not in html
    links = [attrs for tag, attrs in page.elements if tag == "a"]
    targets = [str(attrs["href"]) for attrs in links if "download" not in attrs]
    (saved,) = (str(attrs["href"]) for attrs in links if "download" in attrs)
    assert saved.startswith("data:application/json")
    ids = [str(attrs["id"]) for _, attrs in page.elements if "id" in attrs]
    assert targets
    assert all(target.startswith("#") and target[1:] in ids for target in targets)
    assert len(ids) == len(set(ids))


def test_the_page_can_be_read_aloud_and_by_keyboard(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(), metrics("epic"))
    page = Page(_written(workspace)[0])
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after - before <= 1 for before, after in zip(headings, headings[1:], strict=False))
    scrolling = [attrs for _, attrs in page.elements if attrs.get("class") == "scroll"]
    assert len(scrolling) == [tag for tag, _ in page.elements].count("table") > 2
    for attrs in scrolling:
        assert attrs["tabindex"] == "0"
        assert attrs.get("aria-labelledby") in ids or attrs.get("aria-label")
    drawings = [attrs for tag, attrs in page.elements if tag == "svg" and "aria-hidden" not in attrs]
    assert drawings
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)


def test_the_page_follows_light_dark_phone_and_print(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics())
    html, _ = _written(workspace)
    assert 'content="width=device-width' in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    # Colours of the drawing come from the page's variables, so that they change with it.
    assert not re.search(r"<svg.*?(#[0-9a-f]{3,6}).*?</svg>", html, re.DOTALL)


def test_random_weights_and_mixed_artifacts_are_said_at_the_top_and_in_the_row(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    mixed = [{"what": "precision", "run": "bf16", "target": "fp32"}]
    evaluated(metrics(random_weights=["vit-random"]), metrics("epic", mixed=mixed))
    html, markdown = _written(workspace)
    for text in (html, markdown):
        top = text[: text.index('id="accuracy"' if text is html else "## Results")]
        assert "vit-random" in top
        assert "on epic val: precision bf16 against fp32" in top
    row = html[html.index("<tbody>") : html.index("</tbody>")]
    assert '<tr class="marked">' in row
    assert ">random weights</span>" in row
    assert ">mixed artifacts</span>" in row
    assert 'title="xmic official"><strong>xmic official</strong> <span class="badge">random weights</span>' in html
    assert "| epic val | RM |" in markdown


def test_what_an_encoder_was_pretrained_on_is_said_at_the_top_in_the_row_and_in_the_table(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(metrics(pretrained_on={"lavila-c89337": "Ego4D"}))
    html, markdown = _written(workspace)
    for text in (html, markdown):
        assert (
            "lavila-c89337 was pretrained on Ego4D" in text[: text.index("<tbody>" if text is html else "## Results")]
        )
    assert '<span class="badge">pretrained on Ego4D</span>' in html
    assert "| P |" in markdown
    table = (workspace.root / "reports/report/tables/results.csv").read_text()
    head, row = (line.split(",") for line in table.splitlines()[:2])
    assert row[head.index("pretrained_on")] == "Ego4D"


def test_a_sound_report_has_no_banner(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(), metrics("epic"))
    html, markdown = _written(workspace)
    assert 'class="warn"' not in html
    assert "Random weights" not in markdown
    assert "Mixed artifacts" not in markdown


def test_every_number_stands_with_its_interval_and_its_clips(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    cross = metrics("epic")
    cross["labels"]["noun"]["n_evaluated"] = 3
    evaluated(metrics(), cross)
    html, markdown = _written(workspace)
    assert '<td class="few partial">25.00*<small>0.0–50.0</small><small>3/4</small>' in html
    row = next(line for line in markdown.splitlines() if line.startswith("| xmic official |"))
    assert r"25.00 (0.0–50.0) (4/4) | 25.00\* (0.0–50.0) (3/4) | 25.00\* (0.0–50.0) (7/8)" in row


def test_failures_missing_clips_and_hand_fallback_are_listed(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    made = metrics(failures={"decode": {"past_end": 3}}, hand_fallback_rate=0.25)
    made["labels"]["noun"]["n_evaluated"] = 1
    evaluated(made, metrics("epic"))
    html, markdown = _written(workspace)
    assert '<td class="name">decode</td><td>3</td><td class="name">past_end</td>' in html
    for line in (
        "clips val | decode | 3 | past\\_end |",
        "clips val | evaluate | 3 | clips with a noun that are not in the numbers |",
        "clips val | embed hands | 25.0 % | frames without a hand: the full frame was taken |",
        "epic val | all | 0 | nothing failed |",
    ):
        assert line in markdown
    assert "clips val | all | 0 |" not in markdown


def test_empty_cells_and_their_commands_stand_in_both(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics())
    for text in _written(workspace):
        assert "is not evaluated on another dataset" in text
        assert "xmic evaluate xmic-official-clips-s0-1a2b3c4d --cross DATASET" in text


def test_provenance_gives_protocol_versions_and_commands(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics())
    html, markdown = _written(workspace)
    assert "<dt>encoder</dt><dd>vit-b-16-01234567</dd>" in html
    assert "- encoder: `vit-b-16-01234567`" in markdown
    assert "torch 2.14.1, xmic 0.1.0" in html
    assert "torch 2.14.1, xmic 0.1.0" in markdown
    assert "- `xmic evaluate xmic-official-clips-s0-1a2b3c4d --cross clips`" in markdown
    assert "<dt>v2</dt>" not in html


def test_differing_versions_stand_with_each_evaluation(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(), metrics("epic", versions={"torch": "2.6.0"}))
    html, markdown = _written(workspace)
    assert "<dt>versions</dt><dd>torch 2.6.0</dd>" in html
    assert "- versions: torch 2.6.0" in markdown


def test_the_csv_has_full_precision_and_empty_cells_for_no_number(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    made = metrics(run='a,"b"')
    made["labels"]["noun"]["top1"] = 100 / 3
    evaluated(made)
    with Path(write_report(workspace)["csv"]).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["run"] == 'a,"b"'
    assert float(row["noun within %"]) == 100 / 3
    assert (row["noun within n_evaluated"], row["noun within n_official"]) == ("4", "4")
    assert (row["noun cross %"], row["noun cross n_official"], row["cross"]) == ("", "", "")


def test_the_templates_are_part_of_the_package_and_none_is_long() -> None:
    templates = {
        item.name: item.read_text("utf-8") for item in files("pipelines.report").joinpath("templates").iterdir()
    }
    assert {"report.html.j2", "report.md.j2", "page.css", "page.js", "confusion.js", "band.html.j2"} <= templates.keys()
    assert all(len(text.splitlines()) <= 400 for text in templates.values())


def test_the_csv_holds_no_formula(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(run="=1+1", source={"dataset": "@mine", "split": "train"}))
    with Path(write_report(workspace)["csv"]).open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["run"], row["source"]) == ("'=1+1", "'@mine train")


def test_the_shared_and_novel_classes_of_a_cross_target_stand_in_its_provenance(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    split = {"rule": "exact", "sha256": "5a" * 32}
    known = {"shared": 5, "supported": 4, "unsupported": 1, "novel": 7}
    unknown = {"shared": 2, "supported": None, "unsupported": None, "novel": 3}
    vocabulary = {"noun": {**split, "classes": known}, "verb": {**split, "classes": unknown}}
    evaluated(metrics(), metrics("other", vocabulary=vocabulary))
    for text in _written(workspace):
        assert f"exact rule: 5 shared, 4 supported, 1 unsupported, 7 novel; sha256 {'5a' * 32}" in text
        assert f"exact rule: 2 shared, 3 novel; sha256 {'5a' * 32}" in text
        assert text.count("exact rule") == 2


def test_leaking_results_are_said_to_be_so_in_every_output(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    made = metrics("epic")
    made["run"] |= {"select": "target", "select_target": "epic:val", "leaking": True}
    made["labels"]["noun"] |= {"selected_epoch": 7, "lr": 0.001}
    evaluated(made)
    page, text = _written(workspace)
    for shown in (page, text):
        assert "Leaking" in shown
        assert "epoch kept: target by epic:val (leaks)" in shown
        assert "noun epoch 7, learning rate 0.001" in shown
    assert '<span class="badge">leaking</span>' in page
    written = write_report(workspace)
    assert written["rows"][0]["leaking"]
    (row,) = csv.DictReader(Path(written["csv"]).read_text("utf-8").splitlines())
    assert (row["recipe"], row["select"], row["xmic_vector"], row["leaking"]) == ("published", "target", "own", "1")


def test_the_paper_s_tables_stand_in_page_text_and_files(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*both(), *both("coop", right=5))
    written = write_report(workspace)
    page, text = (Path(written[kind]).read_text("utf-8") for kind in ("html", "markdown"))
    for told in (page, text):
        assert "Table 2: shared and novel classes" in told
        assert "paper 15.35 (+14.65)" in told
        assert "xmic train ego4d --method cocoop" in told
        assert "Table 3 (EGTEA) has no runs yet" in told
    assert Page(page).open == []
    assert [Path(written[f"table{number} tex"]).name for number in (1, 2)] == ["table1.tex", "table2.tex"]
    assert [table["table"] for table in written["tables"]] == [1, 2]


def test_a_line_of_a_markdown_table_has_as_many_cells_as_its_head(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*both("a|b"), *both("coop", right=5))
    text = Path(write_report(workspace)["markdown"]).read_text("utf-8")
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| row |")]
    assert len(blocks) == 2
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block}) == 1


def test_tables_of_an_earlier_report_do_not_stay(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*both())
    second = Path(write_report(workspace)["table2 csv"])
    shutil.rmtree(next((workspace.root / "evaluations").glob("*/epic-val")))
    write_report(workspace)
    assert not second.exists()
