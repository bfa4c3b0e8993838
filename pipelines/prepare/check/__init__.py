"""Check the videos of a dataset for ``prepare --check``.

They must be present and readable, with the length and frame rate of the annotation.
"""
