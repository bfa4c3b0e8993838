from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from pipelines.engine.workspace import Workspace
from pipelines.report.collect import collect
from pipelines.report.provenance import provenance, provenance_uri

Make = Callable[..., dict]
Put = Callable[..., Path]


def test_every_evaluation_is_in_it_with_protocol_versions_and_commands(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(metrics(), metrics("epic", xmic_vector="mean"))
    first, second = json.loads(provenance(collect(workspace)))["evaluations"]
    assert first["protocol"] == metrics()["protocol"]
    assert first["versions"] == metrics()["versions"]
    assert first["commands"] == metrics()["commands"]
    assert (first["run"]["name"], first["source"], first["target"]) == (
        metrics()["run"]["name"],
        "clips train",
        "clips val",
    )
    assert (second["target"], second["control"]) == ("epic val", ["X-MIC vector mean"])


def test_the_link_holds_the_same_and_no_markup(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(run='<b>"&', protocol={"prompt": "é {}"}))
    uri = provenance_uri(collect(workspace))
    head, _, body = uri.partition(",")
    assert head == "data:application/json;charset=utf-8"
    assert unquote(body) == provenance(collect(workspace))
    assert not set('<>"&') & set(body)
