"""What answers are worth: predictions, metrics, calibration, comparisons."""
