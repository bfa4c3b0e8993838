"""Build the stages of the chain, run them and report their status."""
