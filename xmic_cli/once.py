"""Refuse options that are given twice, but take one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from data_manifests.errors import UsageError


def refuse_repeated(command: Any) -> None:
    """Make a command and its subcommands refuse repeated options.

    Without this, the last value would count and the others would be lost. A flag may be repeated.
    """
    for child in getattr(command, "commands", {}).values():
        refuse_repeated(child)
    parse = command.parse_args

    def checked(context: Any, words: list[str]) -> Any:
        if words and not context.resilient_parsing:
            _check(command, context, words)
        return parse(context, words)

    command.parse_args = checked


def _check(command: Any, context: Any, words: list[str]) -> None:
    _, _, order = command.make_parser(context).parse_args(args=list(words))
    times = Counter(id(item) for item in order)
    for item in {id(item): item for item in order if item.param_type_name == "option"}.values():
        if times[id(item)] < 2 or item.multiple:
            continue
        given = list(_given(words, [*item.opts, *item.secondary_opts], item.is_flag))
        flag = max(item.opts, key=len)
        if not item.is_flag:
            raise UsageError(f"{' and '.join(given)}: {flag} takes one value; leave one of them out")
        if item.secondary_opts and set(given) & set(item.opts) and set(given) & set(item.secondary_opts):
            raise UsageError(f"{' and '.join(dict.fromkeys(given))}: leave one of them out")


def _given(words: Sequence[str], names: Sequence[str], is_flag: bool) -> Iterator[str]:
    """Find an option's words, as they were typed."""
    short = tuple(name for name in names if not name.startswith("--"))
    for at, word in enumerate(words):
        if word in names:
            yield word if is_flag else " ".join(words[at : at + 2])
        elif word.startswith(tuple(f"{name}=" for name in names)) or (
            short and word.startswith(short) and not word.startswith("--")
        ):
            yield word
