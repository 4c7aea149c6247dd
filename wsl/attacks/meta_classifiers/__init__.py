"""Meta-classifiers on feature vectors, and calibration of their probabilities."""
