"""Export a run as a folder that others can use."""
