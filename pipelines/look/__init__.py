"""Show a dataset as one page, before any training."""
