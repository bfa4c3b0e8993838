"""The words of the documents and docstrings: short sentences, plain English, and no public name without a sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("xmic_cli", "pocket_kitchens", "packaged_models", "pipelines", "data_manifests")
LONGEST = 35  # words in a sentence
SHORTEST, FIRST_LINE = 3, 12  # words in the first line of a docstring, at least and at most
NO_VERB = frozenset(
    "A All An As Each Every How In Of One See That The This Those What When Where Whether Which Why".split()
)
"""Words that begin the docstring of no public function: it says what the function does."""

INSTEAD = {"can not": "cannot", "anew": "again"}

_CODE = re.compile(r"(`+)(?!`).*?\1(?!`)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")
_OTHER_BLOCK = re.compile(r"\||#|<!--|\s*$| {4}")
_COMMANDS = re.compile(r"`c`(?:,? (?:and |or |, )?`c`)+")
_ABBREVIATIONS = ("al.", "e.g.", "i.e.", "vs.", "Sec.", "Fig.")  # an abbreviation's stop ends no sentence


class Sentence(NamedTuple):
    """A sentence and the line that it begins on."""

    line: int
    text: str


def _paragraphs(markdown: str) -> Iterator[list[tuple[int, str]]]:
    """Numbered lines of each paragraph and list item; code blocks, tables, headings and comments are no text."""
    lines: list[tuple[int, str]] = []
    fenced = False
    for number, line in enumerate(markdown.splitlines(), 1):
        fence = line.lstrip().startswith("```")
        # An indented line goes on with a list item, but begins a block of code.
        other = bool(_OTHER_BLOCK.match(line)) and not (lines and line.startswith(" ") and line.strip())
        if fence or fenced or other or _ITEM.match(line):
            if lines:
                yield lines
            lines = []
        fenced ^= fence
        if not (fence or fenced or other):
            lines.append((number, _ITEM.sub("", line, count=1) if _ITEM.match(line) else line.strip()))
    if lines:
        yield lines


def _sentences(markdown: str) -> Iterator[Sentence]:
    for lines in _paragraphs(markdown):
        words = [(number, word) for number, line in lines for word in _LINK.sub(r"\1", line).split()]
        sentence: list[tuple[int, str]] = []
        ticks = 0
        for number, word in words:
            sentence.append((number, word))
            ticks += word.count("`")
            ended = re.search(r"[.!?][\"”)*_]*$", word) and word.lstrip("(") not in _ABBREVIATIONS
            if ended and ticks % 2 == 0:
                yield Sentence(sentence[0][0], " ".join(word for _, word in sentence))
                sentence = []
        if sentence:
            yield Sentence(sentence[0][0], " ".join(word for _, word in sentence))


def _length(sentence: str) -> int:
    """Words of a sentence; code is one word, and so is a list of code."""
    plain = _COMMANDS.sub("code", _CODE.sub("`c`", sentence))
    return sum(any(letter.isalnum() for letter in word) for word in plain.split())


def _documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])


def _poor_docstrings(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and first line of each public docstring that is too short, too long, or begins with no verb."""

    def of(node: ast.AST, name: str) -> Iterator[tuple[int, str, str]]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            words = first.split()
            does = isinstance(node, ast.FunctionDef) and not any("property" in ast.dump(d) for d in node.decorator_list)
            if first and (not SHORTEST <= len(words) <= FIRST_LINE or (does and words[0] in NO_VERB)):
                yield getattr(node, "lineno", 1), name or "module", first
        if isinstance(node, ast.Module | ast.ClassDef):
            for child in node.body:
                inner = getattr(child, "name", "_")
                if not inner.startswith("_"):
                    yield from of(child, f"{name}.{inner}".lstrip("."))

    yield from of(ast.parse(source), "")


def test_a_sentence_is_found_with_its_first_line_wherever_it_is_written():
    text = (
        "# A title. Of two\n\nOne is\nhere. `a. b` is two, et al. so\ntoo.\n\n```bash\nno text.\n```\n| no. | no |\n"
        "- An item that\n  goes on. Then [a link. Here](no.md)\n\n    code. too\n<!-- not. this -->\nLast"
    )
    assert [tuple(sentence) for sentence in _sentences(text)] == [
        (3, "One is here."),
        (4, "`a. b` is two, et al. so too."),
        (11, "An item that goes on."),
        (12, "Then a link."),
        (12, "Here"),
        (16, "Last"),
    ]


def test_code_and_a_list_of_code_are_one_word():
    assert _length("Run `xmic train epic`, then – `a`, `b` and `c d` — or 2.5 (`e`).") == 7


def test_poor_docstrings_of_public_names_are_found_and_no_others():
    source = (
        'def shout():\n    """Loud."""\n    def inner():\n        """No."""\n\n\n'
        'class Kettle:\n    """Boils its water."""\n\n    def pour(self):\n        """The tea it makes."""\n\n'
        '    @property\n    def lid(self):\n        """The lid that closes it."""\n\n'
        '    def _lid(self):\n        """No."""\n\n\nclass _Cup:\n    """No."""\n'
    )
    assert list(_poor_docstrings(source)) == [(1, "shout", "Loud."), (10, "Kettle.pour", "The tea it makes.")]
    assert list(_poor_docstrings('"""Cups."""')) == [(1, "module", "Cups.")]
    long = "Pour " + "tea and " * 6
    assert [first for _, _, first in _poor_docstrings(f'"""{long}."""')] == [f"{long}."]


def test_no_sentence_of_the_documents_is_long():
    long = [
        f"{file.relative_to(ROOT)}:{line}: {_length(text)} words, at most {LONGEST}: {text}"
        for file in _documents()
        for line, text in _sentences(file.read_text("utf-8"))
        if _length(text) > LONGEST
    ]
    assert not long, "\n".join(["sentences that are too long:", *long])


def test_the_documents_use_the_plain_word():
    found = [
        f'{file.relative_to(ROOT)}:{line}: "{word}", write "{better}": {text}'
        for file in _documents()
        for line, text in _sentences(file.read_text("utf-8"))
        for word, better in INSTEAD.items()
        if re.search(rf"\b{word}\b", text, re.IGNORECASE)
    ]
    assert not found, "\n".join(["words with a plainer one:", *found])


def test_every_public_docstring_begins_with_a_short_sentence():
    poor = [
        f"{file.relative_to(ROOT)}:{line}: {name}: {first!r}"
        for package in PACKAGES
        for file in sorted((ROOT / package).glob("**/*.py"))
        for line, name, first in _poor_docstrings(file.read_text("utf-8"))
    ]
    rule = f"begin with a verb and its object, in {SHORTEST} to {FIRST_LINE} words"
    assert not poor, "\n".join([f"public docstrings that do not {rule}:", *poor])
