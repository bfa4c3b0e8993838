"""Parse options of the form KEY=VALUE, such as ``--set``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

ReaderSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Another argument of the reader: a TOML value (4.0, true, [1, 2]), else a text; may be repeated.",
    ),
]


def pairs(items: list[str], flag: str = "--set", form: str = "KEY=VALUE", example: str = "epochs=5") -> dict[str, str]:
    """Parse texts of the form KEY=VALUE.

    Raises:
        UsageError: a text has no '=', or two have one key.
    """
    from data_manifests.errors import UsageError

    settings: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"{flag} {item}: expected {form}, for instance {example}")
        if key in settings:
            raise UsageError(f"{flag} {key}={settings[key]} and {flag} {item}: {key} takes one value; leave one out")
        settings[key] = value
    return settings


def toml_settings(items: list[str], *said: str) -> dict[str, Any]:
    """Parse texts KEY=VALUE whose values are written as in TOML.

    A value that is not TOML is taken as a text.
    """
    return {key: _toml(value) for key, value in pairs(items, *said).items()}


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        return text
