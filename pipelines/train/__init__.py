"""Train a run, with a noun and a verb head, on vectors."""
