"""Train hand models: the packaged one, and a user's.

The packaged model is trained on drawn pictures, a user's on pictures with boxes.
"""
