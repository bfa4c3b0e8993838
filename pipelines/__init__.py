"""Stages of the toolkit and the parts they are made of.

Nothing here imports typer or rich; progress is reported through a callback.
"""
