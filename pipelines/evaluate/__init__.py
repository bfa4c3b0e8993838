"""Turn a run into predictions and metrics, within a dataset and across datasets."""
