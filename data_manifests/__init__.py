"""Manifests: the schemas, dataset readers and class names that every stage reads. Knows no torch."""
