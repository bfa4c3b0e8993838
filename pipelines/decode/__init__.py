"""Decode the frames of videos that a frame plan selects."""
