"""Vectors to a run with a noun head and a verb head."""
