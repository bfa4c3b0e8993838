"""Write how every evaluation was made, as JSON."""

from __future__ import annotations

import json
from urllib.parse import quote

from pipelines.report.collect import Collected


def provenance(found: Collected) -> str:
    """Return the protocol, run, versions and commands of each evaluation as JSON."""
    items = [
        {
            "run": metrics.run.model_dump(mode="json"),
            "source": str(metrics.trained_on),
            "target": str(metrics.target),
            "control": metrics.control.words,
            "protocol": metrics.protocol,
            "vocabulary": {label: split.model_dump(mode="json") for label, split in metrics.vocabulary.items()},
            "failures": metrics.failures,
            "random_weights": metrics.random_weights,
            "versions": metrics.versions,
            "commands": metrics.commands,
        }
        for metrics in found.evaluations
    ]
    return json.dumps({"evaluations": items}, indent=1, sort_keys=True)


def provenance_uri(found: Collected) -> str:
    """Return the same as a data URI."""
    return f"data:application/json;charset=utf-8,{quote(provenance(found))}"
