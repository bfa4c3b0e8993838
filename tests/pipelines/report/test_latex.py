from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.latex import latex, latex_text
from pipelines.report.tables import tables_of
from tests.pipelines.report.evaluations import both

Put = Callable[..., Path]


def _written(workspace: Workspace, evaluated: Put, number: int, *made: dict) -> str:
    evaluated(*made)
    tables = tables_of(collect(workspace), workspace).tables
    return latex(next(table for table in tables if table.number == number))


def test_every_line_has_as_many_cells_as_the_head(workspace: Workspace, evaluated: Put) -> None:
    for number, columns in ((1, 6), (2, 14)):
        text = _written(workspace, evaluated, number, *both(), *both("coop", right=5))
        lines = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {columns + 1}
        assert text.count("\\begin{") == text.count("\\end{") == 2
        assert len(re.findall(r"(?<!\\){", text)) == len(re.findall(r"(?<!\\)}", text))
        assert all(rule in text for rule in ("\\toprule", "\\midrule", "\\bottomrule"))


def test_the_paper_s_numbers_stand_below_ours_and_alone_where_we_have_none(
    workspace: Workspace, evaluated: Put
) -> None:
    lines = _written(workspace, evaluated, 1, *both()).splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("xmic official & "))
    assert lines[place + 1].startswith(r"\quad \textit{paper} &  & \textit{33.54}")
    assert any(line.startswith(r"coop \textit{(paper)} &  & \textit{28.22}") for line in lines)


def test_the_head_says_the_label_once_and_breaks_long_names(workspace: Workspace, evaluated: Put) -> None:
    text = _written(workspace, evaluated, 2, *both())
    assert r" &  & \multicolumn{7}{c}{noun} & \multicolumn{7}{c}{verb} \\" in text
    assert r"\cmidrule(lr){3-9}\cmidrule(lr){10-16}" in text
    assert r"& \shortstack[r]{shared,\\all\\compete} &" in text


def test_a_character_that_pdflatex_has_no_glyph_for_is_spelt_out() -> None:
    assert latex_text("naïve Škoda “x” 中|τ\x9b") == r"naïve Škoda “x” [U+4E2D]\textbar{}[U+03C4]"


def test_too_few_recordings_are_grey(workspace: Workspace, evaluated: Put) -> None:
    assert r"\textcolor{gray}{20.00}" in _written(workspace, evaluated, 2, *both())


def test_nothing_from_a_file_becomes_a_command(workspace: Workspace, evaluated: Put) -> None:
    text = _written(workspace, evaluated, 1, *both(r"\input{x} & 50% $a_b^~#"))
    assert r"\textbackslash{}input\{x\} \& 50\% \$a\_b\textasciicircum{}\textasciitilde{}\#" in text
    assert latex_text("a\nb\x00–±") == r"a b--$\pm$"
