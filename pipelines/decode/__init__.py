"""Videos to the frames that a plan asks for."""
