"""Drawn pictures of hands with their true boxes: what the packaged hand model is trained on."""
