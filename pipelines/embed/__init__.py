"""Frames, hand crops and class names to raw vectors."""
