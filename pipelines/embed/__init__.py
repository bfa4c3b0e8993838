"""Embed frames, hand crops and class names as raw vectors."""
