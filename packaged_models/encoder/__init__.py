"""Source of the ``pocket`` encoder: drawn pictures, captions and training.

The pictures are third-person pictures; the encoder is a small CLIP.
"""
