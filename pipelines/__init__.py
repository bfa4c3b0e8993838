"""Stages of the toolkit and the parts they are made of.

Nothing here imports typer or rich; progress is reported through a callback.
"""

from pipelines.engine.waiting import wait_briefly

wait_briefly()  # here, because every module of ours that loads PyTorch comes after
