"""Command line of xmic: one file per command.

It holds no machine learning, and imports nothing heavy at module level.
"""
