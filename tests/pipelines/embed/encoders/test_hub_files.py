from __future__ import annotations

import pytest

from data_manifests.errors import MissingUpstream
from pipelines.embed.encoders import hub_files
from tests.stand_in_hub import Repository, stand_in_hub


def test_the_cache_comes_before_the_network(tmp_path, monkeypatch):
    file = tmp_path / "w"
    file.write_bytes(b"")
    monkeypatch.setattr(
        hub_files, "try_to_load_from_cache", lambda repository, name: str(file) if name == "b" else None
    )
    monkeypatch.setattr(hub_files, "hf_hub_download", lambda *_: pytest.fail("asked the network"))
    assert hub_files.hub_file("o/r", ("a", "b"), "spec", offline=False) == file


def test_offline_never_asks_the_network(monkeypatch):
    monkeypatch.setattr(hub_files, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(hub_files, "hf_hub_download", lambda *_: pytest.fail("asked the network"))
    with pytest.raises(MissingUpstream) as error:
        hub_files.hub_file("o/r", ("a", "b"), "spec", offline=True)
    text = str(error.value)
    cache = hub_files.constants.HF_HUB_CACHE
    assert text.startswith(f"spec: its weights (a or b of o/r) are not in {cache}, and --offline forbids the network.")
    assert f"copy models--o--r from its cache into {cache} here, or name the file" in text
    assert "On a machine with network run: xmic fetch spec; then copy" in text


def test_online_the_first_file_there_is_is_fetched_and_a_failure_says_why(tmp_path, monkeypatch):
    with stand_in_hub(tmp_path, monkeypatch) as hub:
        hub.repositories["o/r"] = Repository({"b": b"weights"})
        assert hub_files.hub_file("o/r", ("a", "b"), "spec", offline=False).read_bytes() == b"weights"
        with pytest.raises(MissingUpstream, match=r"could not be fetched \(no such file in the repository\)"):
            hub_files.hub_file("o/r", ("a",), "spec", offline=False)
