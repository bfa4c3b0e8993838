"""Change the configuration of a trained head as if it had been written so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.engine.digest import digest_json
from pipelines.train.finished import BESIDE_THE_KEY


def written_otherwise(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Rewrite a ``config.json`` without its digest, as older versions did, under the key of its settings."""
    config = json.loads(file.read_text())
    del config["sha256"]
    change(config)
    config["key"] = digest_json({name: value for name, value in config.items() if name not in BESIDE_THE_KEY})
    file.write_text(json.dumps(config))
