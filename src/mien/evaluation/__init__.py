"""How good answers are: predictions, metrics, calibration, comparisons."""
