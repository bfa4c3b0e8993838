"""Write one of the paper's tables as LaTeX with booktabs.

The text is safe for pdflatex, whatever the names of runs are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from pipelines.report.table_cells import TableCell
from pipelines.report.table_plans import Column
from pipelines.report.tables import Section, Table, TableRow

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "–": "--", "±": r"$\pm$", "\n": " ", "\r": " ",
}  # fmt: skip

_NO_GLYPH = re.compile(r"[^\x20-\u017f‘’“”…—]")
"""Characters that the fonts of pdflatex may lack: it stops at the first one."""

_TITLE_WIDTH = "38mm"


def latex(table: Table) -> str:
    """Write a ``table*`` that a LaTeX document can ``\\input``.

    The paper's comparable numbers are in italics below each row. The table needs the packages array, booktabs, graphicx
    and xcolor. Numbers over too few recordings or clips are grey. A table wider than the page is shrunk to it.
    """
    columns = table.columns
    lines = [
        "% needs \\usepackage{array,booktabs,graphicx,xcolor}",
        "\\begin{table*}",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
        f"\\caption{{{latex_text(table.title)}: accuracy in percent. * not all clips; grey: under 30 recordings or 100 "
        "clips; italics: the paper, ! its harmonic mean is not that of its own two numbers.}",
        "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{>{{\\raggedright\\arraybackslash}}p{{{_TITLE_WIDTH}}}l{'r' * len(columns)}}}",
        "\\toprule",
        *_heads(columns),
    ]
    for section in table.sections:
        lines += ["\\midrule", f"\\multicolumn{{{len(columns) + 2}}}{{l}}{{{latex_text(section.title)}}} \\\\"]
        lines += _rows(table, section)
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table*}", ""])


def latex_text(text: object) -> str:
    """Escape text so that nothing in it is a command."""
    plain = "".join(_SPECIAL.get(letter, letter) for letter in str(text))
    return _NO_GLYPH.sub(lambda found: f"[U+{ord(found[0]):04X}]", re.sub(r"[\x00-\x1f\x7f-\x9f]", "", plain))


def _heads(columns: Sequence[Column]) -> Iterable[str]:
    """Write the labels, and below each its kinds of numbers, one word per line."""
    labels, rules, first = [], [], 3
    for label, group in groupby(columns, lambda column: column.label):
        count = len(list(group))
        labels.append(f"\\multicolumn{{{count}}}{{c}}{{{label}}}")
        rules.append(f"\\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    yield _line(["", ""], labels)
    yield "".join(rules)
    words = ("\\\\".join(map(latex_text, column.head.split())) for column in columns)
    yield _line(["", ""], [f"\\shortstack[r]{{{head}}}" for head in words])


def _rows(table: Table, section: Section) -> Iterable[str]:
    reference = False
    for row in section.rows:
        if row.kind == "reference" and not reference:
            yield "\\midrule"
            reference = True
        cells = [row.cells[column.name] for column in table.columns]
        if row.kind != "missing":
            yield _line([_title(row), _seeds(row)], [_ours(cell) for cell in cells])
        if any(cell.paper for cell in cells):
            title = "\\quad \\textit{paper}" if row.kind == "ours" else f"{latex_text(row.title)} \\textit{{(paper)}}"
            yield _line([], [title, "", *map(_paper, cells)])


def _line(texts: list[str], ready: list[str] | None = None) -> str:
    return " & ".join([*map(latex_text, texts), *(ready or [])]) + r" \\"


def _title(row: TableRow) -> str:
    return row.title + (f" [{row.marks}]" if row.marks else "")


def _seeds(row: TableRow) -> str:
    return f"{len(row.seeds)} seeds" if len(row.seeds) > 1 else ""


def _ours(cell: TableCell) -> str:
    said = latex_text(" ".join(filter(None, (cell.text, cell.spread))))
    return f"\\textcolor{{gray}}{{{said}}}" if cell.few else said


def _paper(cell: TableCell) -> str:
    return f"\\textit{{{latex_text(cell.paper_text)}}}" if cell.paper else ""
