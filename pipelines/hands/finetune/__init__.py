"""Training hand models: xmic's own from drawn pictures, and a user's from pictures with boxes."""
