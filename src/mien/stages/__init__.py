"""The stages of a run: detection, tracking, classification, smoothing. No stage imports another."""
