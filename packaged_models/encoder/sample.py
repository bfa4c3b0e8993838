"""Name the seeds and sizes of the check of an encoder."""

from __future__ import annotations

SEEDS = (910, 911, 912, 913, 914, 915)
"""Seeds of the pictures and of the worlds; no world of an experiment has them."""

CLIPS = 100
"""Number of clips per domain and seed, and of pictures per kind of picture."""

PER_VIDEO = (2, 4)
"""Fewest and most clips of a video. Videos are short, because intervals over recordings need many of them."""

FRAMES = 8
"""Number of frames of a clip, in equal steps."""

BATCH = 2 * FRAMES
"""Pictures per forward pass: the frames and the crops of a clip."""
