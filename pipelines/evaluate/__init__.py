"""A run to predictions and metrics, within a dataset and across datasets."""
