"""The experiment on Pocket Kitchens: X-MIC, zero-shot CLIP and their controls on drawn worlds."""
