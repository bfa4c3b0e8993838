"""The packaged hand model: drawn pictures, training and calibration."""
