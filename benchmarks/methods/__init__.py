"""Every method on the drawn worlds, by both recipes, with what it costs."""
