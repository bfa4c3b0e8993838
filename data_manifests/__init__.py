"""Manifests: the schemas, dataset readers and class names of every stage.

The package does not import torch.
"""
