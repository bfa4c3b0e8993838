"""How the packaged models were made; in the repository, not in the wheel."""
