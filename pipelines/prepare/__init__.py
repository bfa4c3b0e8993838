"""Turn annotation files into manifests: clips, videos, rejects and class lists."""
