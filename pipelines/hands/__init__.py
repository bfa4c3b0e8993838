"""Frames to hand boxes, and boxes to crops."""
