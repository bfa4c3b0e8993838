"""The command line: one file a command, no machine learning, no heavy import at module level."""
