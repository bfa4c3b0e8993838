"""Annotation files to manifests: clips, videos, rejects and class lists."""
