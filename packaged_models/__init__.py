"""Source of the packaged models: their training data and training.

It is in the repository, not in the wheel.
"""

import pipelines  # noqa: F401  decides how threads wait, before PyTorch is loaded
