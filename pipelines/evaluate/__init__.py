"""Evaluate runs: write predictions and metrics, within and across datasets."""
