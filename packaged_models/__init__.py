"""Source of the packaged models: their training data and training.

It is in the repository, not in the wheel.
"""
