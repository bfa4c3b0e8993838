"""The stages and what they are made of. Never imports typer or rich; progress arrives as a callback."""
