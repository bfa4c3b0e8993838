"""Draw a clip of the drawn world, frame by frame."""
