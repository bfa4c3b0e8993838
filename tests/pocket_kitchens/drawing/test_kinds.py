from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from data_manifests.errors import InputError
from pocket_kitchens.drawing.kinds import KINDS_FILE, read_kinds
from pocket_kitchens.drawing.objects import KINDS, draw_object
from pocket_kitchens.drawing.parts import Part, Pattern

BALL = {"size": "0.4", "palettes": '"red/white"', "parts": "'oval body 0,50 size=100,100'"}


def written(folder: Path, fields: dict[str, str], before: str = "") -> Path:
    file = folder / "kinds.toml"
    lines = [before, "[kinds.ball]", *(f"{name} = {value}" for name, value in fields.items())]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def parts_of(folder: Path, *lines: str) -> tuple[Part | Pattern, ...]:
    text = "\n".join(lines)
    return read_kinds(written(folder, BALL | {"parts": f"'''\n{text}\n'''"}))["ball"].parts


def test_every_kind_of_the_file_can_be_drawn_in_the_order_of_the_file() -> None:
    headers = [line for line in KINDS_FILE.read_text(encoding="utf-8").splitlines() if line.startswith("[kinds.")]
    assert [header.removeprefix("[kinds.").rstrip("]").strip('"') for header in headers] == list(KINDS)
    for kind in KINDS:
        assert draw_object(kind, 4, 32)[..., 3].max() > 200, kind


def test_the_file_is_read_in_a_moment() -> None:
    started = time.process_time()
    read_kinds()
    # A fortieth of a second is usual; the bound leaves room for a busy machine.
    assert time.process_time() - started < 0.1


def test_fields_that_are_left_out_have_their_usual_values(tmp_path: Path) -> None:
    kind = read_kinds(written(tmp_path, BALL))["ball"]
    assert (kind.name, kind.size, kind.palettes) == ("ball", 0.4, ("red/white",))
    assert (kind.opens, kind.stretch, kind.bend, kind.mirrored) == (False, 0.18, 0.0, True)
    more = {"opens": "true", "stretch": "0", "bend": "0.1", "mirrored": "false"}
    kind = read_kinds(written(tmp_path, BALL | more))["ball"]
    assert (kind.opens, kind.stretch, kind.bend, kind.mirrored) == (True, 0.0, 0.1, False)


def test_a_shared_list_of_palettes_is_put_where_it_is_named(tmp_path: Path) -> None:
    shared = '[palettes]\nmetal = "silver/black steel/red"'
    file = written(tmp_path, BALL | {"palettes": '"red/white @metal blue/white"'}, shared)
    assert read_kinds(file)["ball"].palettes == ("red/white", "silver/black", "steel/red", "blue/white")


def test_a_line_has_as_many_parts_as_points_to_be_drawn_around_or_outlines(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, "block body 0,5 20,5 size=10,10 corner=2", "rod accent- 0,0 1,1; 2,2 3,3 4,4 width=2")
    first, second, third, fourth = (part for part in parts if isinstance(part, Part))
    assert (first.outline.min(axis=0).tolist(), first.outline.max(axis=0).tolist()) == ([-5, 0], [5, 10])
    np.testing.assert_array_equal(second.outline, first.outline + np.float32([20, 0]))
    assert (third.outline.tolist(), fourth.outline.tolist()) == ([[0, 0], [1, 1]], [[2, 2], [3, 3], [4, 4]])
    assert (third.role, third.width, third.closed) == ("accent-", 2.0, False)


def test_settings_reach_the_part(tmp_path: Path) -> None:
    parts = parts_of(
        tmp_path,
        "poly body 0,0 1,0 1,1",
        "turned red+ 0,3 10,5 shade=flat clip opacity=0.5 chance=0.25",
        "pattern accent plain dots plain",
    )
    assert isinstance(parts[1], Part)
    assert (parts[1].role, parts[1].shade, parts[1].clip) == ("red+", "flat", True)
    assert (parts[1].opacity, parts[1].chance) == (0.5, 0.25)
    assert parts[1].outline.tolist() == [[3, 0], [5, 10], [-5, 10], [-3, 0]]
    # A motif that is written twice is twice as likely.
    assert parts[2] == Pattern("accent", ("plain", "dots", "plain"))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("colour", '"red"', "colour: there is no such field."),
        ("strech", "0.1", "strech: there is no such field. Did you mean 'stretch'?"),
        ("size", '"big"', "size: found 'big', expected a number."),
        ("size", "true", "size: found True, expected a number."),
        ("size", "nan", "size: found nan, expected a number."),
        ("size", "0", "size: found 0, expected more than 0."),
        ("stretch", "1.5", "stretch: found 1.5, expected 0 or more and less than 1."),
        ("opens", "1", "opens: found 1, expected true or false."),
        ("palettes", "3", "palettes: found 3, expected a text in quotes."),
        ("palettes", '""', "palettes: found none, expected at least one."),
        ("palettes", '"red/whit"', "palettes: 'red/whit': there is no colour 'whit'. Did you mean 'white'?"),
        ("palettes", '"red/red/red/red"', "palettes: 'red/red/red/red' has 4 colours, expected at most body/accent/"),
        ("palettes", '"@metal"', "palettes: found '@metal', but [palettes] has only nothing."),
        ("parts", "[]", "parts: found [], expected a text in quotes."),
        ("parts", "''", "parts: found none, expected at least one."),
    ],
)
def test_a_wrong_field_is_named_with_its_file_and_kind(tmp_path: Path, field: str, value: str, problem: str) -> None:
    file = written(tmp_path, BALL | {field: value})
    with pytest.raises(InputError) as error:
        read_kinds(file)
    assert str(error.value).startswith(f"{file}: kind 'ball', {problem}")
    assert str(error.value).endswith("The head of the file says how to write it.")


@pytest.mark.parametrize("field", BALL)
def test_a_field_that_is_missing_is_named(tmp_path: Path, field: str) -> None:
    with pytest.raises(InputError, match=f"kind 'ball', {field}: it is missing"):
        read_kinds(written(tmp_path, {name: value for name, value in BALL.items() if name != field}))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("circle body 0,0 size=1,1", "there is no shape 'circle', expected one of oval, ring,"),
        ("oval", "there is no colour ''."),
        ("oval bodi 0,0 size=1,1", "there is no colour 'bodi'. Did you mean 'body'?"),
        ("oval body+- 0,0 size=1,1", "there is no colour 'body+-'."),
        ("oval body 0,0", "size: it is missing."),
        ("oval body size=1,1", "expected the points x,y that it is drawn around, without ';'."),
        ("oval body 0,0; 1,1 size=1,1", "expected the points x,y that it is drawn around, without ';'."),
        ("oval body 0,up size=1,1", "points: found 'up', expected a number."),
        ("oval body 0,0 size=9", "size: found '9', expected two numbers with ',' between them."),
        ("oval body 0,0 size=9,0", "size: found '9,0', expected more than 0."),
        ("oval body 0,0 size=1,1 size=2,2", "size: it is given twice."),
        ("oval body 0,0 size=1,1 width=2", "found 'width=2', expected a point x,y or one of size, shade,"),
        ("oval body 0 size=1,1", "found '0', expected a point x,y or one of size,"),
        ("rod body 0,0 1,1 width=inf", "width: found 'inf', expected a number."),
        ("rod body 0,0 width=2", "expected at least 2 points x,y."),
        ("poly body 0,0 1,1 1,0; 0,0 1,1", "expected at least 3 points x,y."),
        ("poly body 0,0 1,1 1,0 shade=dark", "shade: found 'dark', expected one of round, across, down, flat."),
        ("poly body 0,0 1,1 1,0 clip=yes", "clip: found 'clip=yes', expected the word alone."),
        ("poly body 0,0 1,1 1,0 opacity=2", "opacity: found '2', expected at most 1."),
        ("poly body 0,0 1,1 1,0 chance=0", "chance: found '0', expected more than 0."),
        ("shine 0,0 size=1,1 clip", "found 'clip', expected a point x,y or one of size."),
        ("pattern accent", "there is no motif '', expected some of plain,"),
        ("pattern accent plain zigzag", "there is no motif 'zigzag', expected some of plain,"),
    ],
)
def test_a_wrong_part_is_named_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(InputError) as error:
        parts_of(tmp_path, "oval body 0,50 size=100,100", line)
    assert f"kind 'ball', parts: '{line}': {problem}" in str(error.value)


@pytest.mark.parametrize(
    "line", ["oval body 0,0 size=1,1 clip", "oval body 0,0 size=1,1 chance=0.5", "pattern accent dots"]
)
def test_a_kind_begins_with_a_part_that_others_can_lie_on(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match="the first part lies on another one or is not always there"):
        parts_of(tmp_path, line, "oval body 0,50 size=100,100")


def test_a_palette_without_a_colour_that_a_part_needs_is_named(tmp_path: Path) -> None:
    fields = BALL | {"palettes": '"red/white/blue red/white"', "parts": "'oval third- 0,0 size=1,1'"}
    with pytest.raises(InputError, match="palettes: 'red/white' has no colour for 'third-', which a part has"):
        read_kinds(written(tmp_path, fields))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[kinds.ball\n", "cannot be read as TOML"),
        ("[kinds.ball]\nsize = 1\n[kinds.ball]\n", "cannot be read as TOML"),
        ("", r"expected tables \[palettes\] and \[kinds.NAME\]\."),
        ("[ball]\nsize = 1\n[kinds.a]\n", r"expected tables \[palettes\] and \[kinds.NAME\], found ball too"),
        ("[kinds]\nball = 1\n", r"kind 'ball', found 1, expected a table \[kinds.ball\]"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "kinds.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_kinds(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.toml: cannot be read"):
        read_kinds(tmp_path / "none.toml")
