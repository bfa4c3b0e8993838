"""``benchmarks`` is no part of the package: found from the root of the repository, after everything installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
