"""Self-test of a GPU: results against the CPU's, speed of every stage, and where the time goes."""
