"""How a clip of the drawn world is drawn, frame by frame."""
