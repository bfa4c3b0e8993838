from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from pipelines.evaluate.run_config import read_config, read_summary
from tests.pipelines.evaluate.run_folders import CONFIG, SUMMARY, changed

_OUT = "../../../outside"
_PLACE = next(iter(CONFIG["protocol"]["vectors"]))
_MADE = CONFIG["protocol"]["vectors"][_PLACE]


def _written(folder: Path, content: Any) -> Path:
    file = folder / "config.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_configuration_is_returned_as_it_is(tmp_path: Path) -> None:
    assert read_config(_written(tmp_path, CONFIG), own_code=False) == CONFIG


@pytest.mark.parametrize(
    "place", ["name", "protocol__encoder", "protocol__v2", "protocol__hands", "source__dataset", "source__split"]
)
@pytest.mark.parametrize("value", [_OUT, "..", ".", "", "a\\b", "/etc", 3, None, ["x"]])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, place: str, value: Any) -> None:
    if place == "protocol__hands" and value is None:
        return
    file = _written(tmp_path, changed(**{place: value}))
    with pytest.raises(InputError) as error:
        read_config(file, own_code=True)
    assert str(error.value).startswith(f"{file}: not the configuration of a trained head ({place.replace('__', '.')}")


@pytest.mark.parametrize("folder", [f"{_OUT}/full", "full", "a/b/c", "../full", "pocket-979083af/.."])
def test_a_stream_that_leads_out_is_refused(tmp_path: Path, folder: str) -> None:
    config = changed(protocol__vectors={_PLACE: _MADE, folder: _MADE})
    with pytest.raises(InputError, match="expected ENCODER/STREAM"):
        read_config(_written(tmp_path, config), own_code=True)


@pytest.mark.parametrize(
    "value", ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, '{"key": 1}', "\0", '{"a":' * 9000]
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=r"config\.json: not the configuration of a trained head"):
        read_config(_written(tmp_path, value), own_code=True)


def test_a_missing_file_and_a_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    for file in (tmp_path / "config.json", tmp_path / "none.json"):
        with pytest.raises(InputError, match="there is no such file"):
            read_config(file, own_code=True)


@pytest.mark.parametrize("name", list(CONFIG["protocol"]))
def test_every_member_of_the_protocol_has_its_kind(tmp_path: Path, name: str) -> None:
    for value in (3.5, {"a": 1}, [1]):
        with pytest.raises(InputError, match=rf"protocol\.{name}"):
            read_config(_written(tmp_path, changed(**{f"protocol__{name}": value})), own_code=True)


def test_a_protocol_without_the_vectors_that_it_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"protocol.vectors is without {_PLACE}"):
        read_config(_written(tmp_path, changed(protocol__vectors={})), own_code=True)
    bare = {_PLACE: {"spec": "pocket", "stream": "hand"}}
    with pytest.raises(InputError, match="without crop or detector"):
        read_config(_written(tmp_path, changed(protocol__vectors=bare)), own_code=True)


def _encoder(spec: str) -> dict[str, Any]:
    return changed(protocol__vectors={_PLACE: {**copy.deepcopy(_MADE), "spec": spec}})


@pytest.mark.parametrize("config", [changed(method="os:system"), _encoder("os:system"), _encoder("a.b:Class")])
def test_a_class_that_is_not_part_of_xmic_needs_trust(tmp_path: Path, config: dict[str, Any]) -> None:
    file = _written(tmp_path, config)
    with pytest.raises(InputError) as error:
        read_config(file, own_code=False)
    name = "a.b:Class" if "a.b" in str(error.value) else "os:system"
    assert str(error.value).startswith(f"{file}: names {name!r}, which is not part of xmic")
    assert "pass --trust" in str(error.value)
    assert read_config(file, own_code=True) == config


@pytest.mark.parametrize("spec", ["pocket", "open_clip:ViT-B-16/openai", "timm:vit_base=v.pt", "imported:lavila-b16"])
def test_built_in_encoders_need_no_trust(tmp_path: Path, spec: str) -> None:
    assert read_config(_written(tmp_path, _encoder(spec)), own_code=False) == _encoder(spec)


def test_a_summary_has_its_numbers(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    file.write_text(json.dumps(SUMMARY))
    assert read_summary(tmp_path) == SUMMARY
    for wrong in ({}, [], {**SUMMARY, "clips": "<b>"}, {**SUMMARY, "lr": [1]}):
        file.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=r"summary\.json: not the summary of a trained head"):
            read_summary(tmp_path)
