"""The stages and what they are made of. Never imports typer or rich; progress arrives as a callback."""

from pipelines.engine.waiting import wait_briefly

wait_briefly()  # here, because every module of ours that loads PyTorch comes after
