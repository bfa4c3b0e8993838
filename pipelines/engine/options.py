"""Options of a stage, written once: fields of a frozen dataclass that carry help, bounds, choices and default.

The command line is made from them (``xmic_cli.spread``), ``xmic.toml`` is validated by them
(:mod:`pipelines.chain.config`), and messages print them (:func:`pipelines.engine.command_lines.command_line`). Imports
nothing heavy, since ``xmic --help`` reads them all.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from data_manifests.errors import UsageError

LARGEST_SEED = 2**63 - 1
"""PyTorch's and NumPy's generators take every number up to it."""

_Mark = TypeVar("_Mark")


@dataclass(frozen=True)
class Doc:
    """What an option is for; its help."""

    text: str


@dataclass(frozen=True)
class Group:
    """The panel of the help that an option is shown in."""

    title: str


@dataclass(frozen=True)
class Flag:
    """The name of an option on the command line, where it is not the field's."""

    name: str


@dataclass(frozen=True)
class Metavar:
    """What help shows for the value."""

    text: str


@dataclass(frozen=True)
class Argument:
    """The value is named by its place on the command line, not by an option."""


@dataclass(frozen=True)
class Pairs:
    """A table, on the command line KEY=VALUE several times; ``typed``: values are written as in TOML."""

    form: str
    example: str
    typed: bool = False


@dataclass(frozen=True)
class CommandOnly:
    """Not a key of ``xmic.toml``, and why."""

    why: str


@dataclass(frozen=True)
class FileOnly:
    """A key of ``xmic.toml`` that is no option, and why."""

    why: str


class OptionsError(UsageError, ValueError):
    """Options that do not fit; a ValueError, so that pydantic reports it with the section it is in."""


class OptionError(OptionsError):
    """A value that an option does not take.

    Attributes:
        option: the field's name.
        found: the value.
        expected: in words.
    """

    def __init__(self, option: str, flag: str, found: Any, expected: str) -> None:
        super().__init__(f"{flag} {found}: expected {expected}")
        self.option, self.found, self.expected = option, found, expected


@dataclass(frozen=True)
class Option:
    """A field of a dataclass of options.

    Attributes:
        name: of the field, and of the key in ``xmic.toml``.
        kind: type of one value, without None.
        several: it takes any number of values, a tuple.
        default: MISSING where a value must be given.
        marks: what its annotation carries.
    """

    name: str
    kind: Any
    several: bool
    default: Any
    marks: tuple[Any, ...]

    def mark(self, kind: type[_Mark]) -> _Mark | None:
        """The annotation of a kind; None where there is none."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)

    @property
    def bounds(self) -> tuple[Any, Any, Any, Any]:
        """At least, more than, at most and less than what; None each where it has not that bound."""
        least, above, most, below = self.mark(Ge), self.mark(Gt), self.mark(Le), self.mark(Lt)
        return least and least.ge, above and above.gt, most and most.le, below and below.lt

    @property
    def required(self) -> bool:
        """It has no default."""
        return self.default is MISSING

    @property
    def flag(self) -> str:
        """Its name on the command line, e.g. '--short-side'; an argument's is its metavar."""
        if self.mark(Argument):
            metavar = self.mark(Metavar)
            return metavar.text if metavar else self.name.upper()
        given = self.mark(Flag)
        return given.name if given else f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """The values it takes; empty where it takes others than listed ones."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def expected(self) -> str:
        """What it takes, in words: 'full, hand or both', '1 to 100', 'more than 0'."""
        if self.choices:
            return in_words(self.choices)
        least, above, most, below = self.bounds
        if least is not None and most is not None:
            return f"{least:g} to {most:g}" if most < LARGEST_SEED else f"{least} to {most}"
        words = [f"{least:g} or more"] if least is not None else []
        words += [f"more than {above:g}"] if above is not None else []
        words += [f"{most:g} or less"] if most is not None else []
        words += [f"less than {below:g}"] if below is not None else []
        return " and ".join(words) or "a finite number"

    def check(self, value: Any) -> None:
        """Refuse a value that is no choice, out of bounds or not finite.

        Raises:
            OptionError: it is.
        """
        for item in value if self.several else () if value is None else (value,):
            if not self._takes(item):
                raise OptionError(self.name, self.flag, item, self.expected)

    def _takes(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if isinstance(value, float) and not math.isfinite(value):
            return False
        least, above, most, below = self.bounds
        return (
            (least is None or value >= least)
            and (above is None or value > above)
            and (most is None or value <= most)
            and (below is None or value < below)
        )


@dataclass(frozen=True)
class Options:
    """Base of the dataclasses of options: what they do not take is refused when one is built.

    Raises:
        OptionError: a value is no choice, out of bounds or not finite.
        OptionsError: see :meth:`check`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    def __post_init__(self) -> None:
        """Check every value, then all of them together."""
        for option in options_of(type(self)):
            option.check(getattr(self, option.name))
        try:
            self.check()
        except UsageError as error:
            raise error if isinstance(error, OptionsError) else OptionsError(str(error)) from None

    def check(self) -> None:
        """Refuse what bounds and choices cannot: a text of the wrong form, options that contradict each other.

        Raises:
            UsageError: there is such a thing.
        """


def options_of(group: type) -> tuple[Option, ...]:
    """The options that a dataclass holds, in the order of its fields."""
    hints = get_type_hints(group, include_extras=True)
    return tuple(
        option_of(
            item.name,
            hints[item.name],
            item.default if item.default_factory is MISSING else item.default_factory(),
        )
        for item in fields(group)
    )


def option_of(name: str, hint: Any, default: Any = MISSING) -> Option:
    """An option from its annotation."""
    hint, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    several = get_origin(hint) is tuple
    return Option(name, get_args(hint)[0] if several else hint, several, default, tuple(marks))


def in_words(values: tuple[str, ...]) -> str:
    """Join a list as a sentence has it: 'full, hand or both'."""
    return f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else values[0]
