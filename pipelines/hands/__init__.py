"""Detect hand boxes in frames, and cut hand crops from them."""
