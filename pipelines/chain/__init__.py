"""All stages in order: built from options, from xmic.toml, and their status."""
