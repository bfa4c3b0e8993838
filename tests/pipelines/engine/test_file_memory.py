from __future__ import annotations

import os
from pathlib import Path

from pipelines.engine.file_memory import FileMemory, file_key


def test_what_was_put_is_known_to_the_next_process_until_the_file_changes(tmp_path: Path) -> None:
    file, lines = tmp_path / "video.mp4", tmp_path / "cache" / "memory.jsonl"
    file.write_bytes(b"one")
    FileMemory(lines).put(file_key("length", file), "3 s")
    assert FileMemory(lines).get(file_key("length", file)) == "3 s"
    assert FileMemory(lines).get(file_key("rate", file)) is None
    os.utime(file, ns=(1, 1))
    assert FileMemory(lines).get(file_key("length", file)) is None


def test_nothing_is_known_of_a_folder_that_a_file_was_added_to(tmp_path: Path) -> None:
    folder, memory = tmp_path / "frames", FileMemory(tmp_path / "memory.jsonl")
    folder.mkdir()
    os.utime(folder, ns=(1, 1))
    memory.put(file_key("listing", folder), "empty")
    (folder / "frame_0000000001.jpg").touch()
    assert memory.get(file_key("listing", folder)) is None


def test_a_memory_that_can_not_be_written_or_read_ends_nothing(tmp_path: Path) -> None:
    video, in_the_way = tmp_path / "video.mp4", tmp_path / "cache"
    video.write_bytes(b"one")
    in_the_way.write_text("a file where the folder of the memory must be")
    memory = FileMemory(in_the_way / "memory.jsonl")
    memory.put(file_key("length", video), "3 s")
    assert memory.get(file_key("length", video)) == "3 s"
    (tmp_path / "memory.jsonl").mkdir()
    assert FileMemory(tmp_path / "memory.jsonl").get(file_key("length", video)) is None
