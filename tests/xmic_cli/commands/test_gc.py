from __future__ import annotations

import json

from xmic_cli.app import run


def test_gc_prints_what_and_how_much_and_removes_it_on_a_word(embedded, capsys):
    where = ["-w", str(embedded.root)]
    assert run(["gc", *where]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    cache = embedded.cache("features", "0123")
    cache.mkdir(parents=True)
    (cache / "matrix.npy").write_bytes(b"x" * 1500)
    for words, code in ((["--dry-run"], 0), ([], 2), (["--json"], 2)):
        assert run(["gc", *where, *words]) == code
        assert cache.is_dir()
    printed = capsys.readouterr()
    assert "cache/features/0123\t1.5 kB\ta cache, made again when it is needed" in printed.out
    assert "would free 1.5 kB" in printed.out
    assert "expected --yes" in printed.err
    assert run(["gc", *where, "--yes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["removed"], answer["bytes"], answer["kept"]) == (True, 1500, {})
    assert not cache.exists()


def test_folders_without_a_file_go_too_but_for_those_of_a_running_stage(embedded, capsys):
    running = embedded.scratch / "decode-running"
    running.mkdir(parents=True)
    embedded.cache("features").mkdir(parents=True)
    assert run(["gc", "-w", str(embedded.root), "--dry-run"]) == 0
    assert embedded.cache("features").is_dir()
    assert run(["gc", "-w", str(embedded.root)]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert not embedded.cache("features").exists()
    assert running.is_dir()
    assert embedded.manifest("mine", "train").exists()
