from __future__ import annotations

from xmic_cli.reference import Command, commands

_OF_SHARDS = {"decode", "detect-hands", "embed", "import-features"}
_SHARED = {
    *("--dry-run", "--limit", "--shard", "--retry-failed", "--max-failures", "--break-lock"),
    *("--wait-lock", "--allow-partial", "--workers", "--device", "--offline", "--json"),
}


def _flags(command: Command) -> set[str]:
    return {name for item in command.parameters for name in item.names}


def test_commands_that_make_shards_have_every_shared_option() -> None:
    found = {command.name: _flags(command) for command in commands() if command.name in _OF_SHARDS}
    assert set(found) == _OF_SHARDS
    assert all(flags >= _SHARED for flags in found.values())


def test_every_command_prints_json() -> None:
    assert [command.name for command in commands() if "--json" not in _flags(command)] == []


def test_every_reader_has_the_same_shared_options() -> None:
    shared = {"--dry-run", "--limit", "--break-lock", "--workers", "--device", "--offline", "--json"}
    readers = [command for command in commands() if command.name.startswith("prepare ")]
    assert len(readers) == 5
    assert [reader.name for reader in readers if not _flags(reader) >= shared] == []
