"""Check what this machine has and can do."""
