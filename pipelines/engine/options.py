"""Describe each option once: help, bounds, choices and default.

Options are the fields of a frozen dataclass. The command line is made from them (``xmic_cli.spread``), ``xmic.toml`` is
validated by them (:mod:`pipelines.chain.config`), and messages print them
(:func:`pipelines.engine.command_lines.command_line`). This module imports nothing heavy, since ``xmic --help`` reads
all options.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from data_manifests.errors import UsageError
from data_manifests.remote.path import path_of, refuse_address

LARGEST_SEED = 2**63 - 1
"""Largest seed: the generators of PyTorch and NumPy take every number up to it."""

_Mark = TypeVar("_Mark")


@dataclass(frozen=True)
class Doc:
    """Help text of an option."""

    text: str


@dataclass(frozen=True)
class Group:
    """Panel of the help that shows the option."""

    title: str


@dataclass(frozen=True)
class Flag:
    """Command-line name of an option that differs from the field's."""

    name: str


@dataclass(frozen=True)
class Metavar:
    """Placeholder for the value in the help."""

    text: str


@dataclass(frozen=True)
class Argument:
    """Mark of a value that the command line takes by its place."""


@dataclass(frozen=True)
class Pairs:
    """Mark of a table, on the command line KEY=VALUE several times.

    Attributes:
        form: form of one pair, for help and error texts, e.g. 'KEY=VALUE'.
        example: one pair, for error texts.
        typed: values are written as in TOML.
    """

    form: str
    example: str
    typed: bool = False


@dataclass(frozen=True)
class NumberOr:
    """Mark of a whole number in whose place a word may be.

    Attributes:
        word: the word, e.g. 'auto'.
        least: least number.
    """

    word: str
    least: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Let pydantic take any value: :class:`Options` checks it."""
        from pydantic_core import core_schema

        return core_schema.any_schema()


@dataclass(frozen=True)
class Completes:
    """Kind of names that the shell completes the value with."""

    what: Literal["datasets", "runs", "methods", "presets", "encoders", "detectors", "splits"]


@dataclass(frozen=True)
class Remote:
    """Mark of a path that may be an address in a store."""


@dataclass(frozen=True)
class CommandOnly:
    """Reason why an option is no key of ``xmic.toml``."""

    why: str


@dataclass(frozen=True)
class FileOnly:
    """Reason why a key of ``xmic.toml`` is no option."""

    why: str


class OptionsError(UsageError, ValueError):
    """Error in the options of a dataclass.

    It is a ValueError too, so that pydantic reports it with the section that the options are in.
    """


class OptionError(OptionsError):
    """Error for a value that an option does not take.

    Attributes:
        option: name of the field.
        found: the value.
        expected: accepted values in words.
    """

    def __init__(self, option: str, flag: str, found: Any, expected: str) -> None:
        super().__init__(f"{flag} {found}: expected {expected}")
        self.option, self.found, self.expected = option, found, expected


@dataclass(frozen=True)
class Option:
    """Field of a dataclass of options.

    Attributes:
        name: name of the field, and of the key in ``xmic.toml``.
        kind: type of one value, without None.
        several: the option takes any number of values, as a tuple.
        default: default value; MISSING where a value must be given.
        marks: marks of the annotation, such as :class:`Doc`.
    """

    name: str
    kind: Any
    several: bool
    default: Any
    marks: tuple[Any, ...]

    def mark(self, kind: type[_Mark]) -> _Mark | None:
        """Return the mark of a kind; None without one."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)

    @property
    def bounds(self) -> tuple[Any, Any, Any, Any]:
        """Bounds of the value: at least, more than, at most, less than.

        Each is None where the option has no such bound.
        """
        least, above, most, below = self.mark(Ge), self.mark(Gt), self.mark(Le), self.mark(Lt)
        either = self.mark(NumberOr)
        return either.least if either else least and least.ge, above and above.gt, most and most.le, below and below.lt

    @property
    def required(self) -> bool:
        """True where the option has no default."""
        return self.default is MISSING

    @property
    def flag(self) -> str:
        """Name on the command line, e.g. '--short-side'.

        For an argument it is the metavar.
        """
        if self.mark(Argument):
            metavar = self.mark(Metavar)
            return metavar.text if metavar else self.name.upper()
        given = self.mark(Flag)
        return given.name if given else f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """Values to choose from; empty for an option without choices."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def word(self) -> str | None:
        """Word that it takes in place of a number; None without one."""
        mark = self.mark(NumberOr)
        return mark.word if mark else None

    @property
    def expected(self) -> str:
        """Accepted values in words.

        Examples: 'full, hand or both', '1 to 100', 'more than 0'.
        """
        if self.choices:
            return in_words(self.choices)
        return f"{self._expected_numbers}, or {self.word}" if self.word else self._expected_numbers

    @property
    def _expected_numbers(self) -> str:
        least, above, most, below = self.bounds
        if least is not None and most is not None:
            return f"{least:g} to {most:g}" if most < LARGEST_SEED else f"{least} to {most}"
        words = [f"{least:g} or more"] if least is not None else []
        words += [f"more than {above:g}"] if above is not None else []
        words += [f"{most:g} or less"] if most is not None else []
        words += [f"less than {below:g}"] if below is not None else []
        return " and ".join(words) or "a finite number"

    def check(self, value: Any) -> None:
        """Refuse a value that the option does not take.

        Raises:
            OptionError: the value is no choice, out of bounds or not finite.
        """
        for item in value if self.several else () if value is None else (value,):
            if not self._takes(item):
                raise OptionError(self.name, self.flag, item, self.expected)

    def _takes(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if self.word is not None and (isinstance(value, bool) or not isinstance(value, int)):
            return bool(value == self.word)
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
    """Base of all dataclasses of options; checks their values when built.

    Raises:
        OptionError: a value is no choice, out of bounds or not finite.
        OptionsError: see :meth:`check`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    def __post_init__(self) -> None:
        """Check each value, then all of them together; addresses become remote paths."""
        for option in options_of(type(self)):
            value = getattr(self, option.name)
            option.check(value)
            if option.kind is Path and value:
                take = path_of if option.mark(Remote) else refuse_address
                found = tuple(map(take, value)) if option.several else take(value)
                object.__setattr__(self, option.name, found)
        try:
            self.check()
        except UsageError as error:
            raise error if isinstance(error, OptionsError) else OptionsError(str(error)) from None

    def check(self) -> None:
        """Refuse what bounds and choices cannot refuse.

        Examples are a text of the wrong form and options that contradict each other.

        Raises:
            UsageError: the options are refused.
        """


def options_of(group: type) -> tuple[Option, ...]:
    """List the options of a dataclass, in the order of its fields."""
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
    """Read an option from its annotation."""
    hint, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    several = get_origin(hint) is tuple
    return Option(name, get_args(hint)[0] if several else hint, several, default, tuple(marks))


def in_words(values: tuple[str, ...]) -> str:
    """Join values as in a sentence: 'full, hand or both'."""
    return f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else values[0]
