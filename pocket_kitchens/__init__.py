"""Pocket Kitchens: a small drawn world that is written to disk as the real datasets are."""
