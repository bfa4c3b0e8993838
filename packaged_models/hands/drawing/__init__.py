"""Drawn pictures of hands with their true boxes.

The packaged hand model is trained on them.
"""
