"""Second experiment on drawn worlds: what follows b_T in X-MIC."""
