"""How the ``pocket`` encoder was made: third-person pictures, their captions, and a small CLIP trained on them."""
