"""The steps of a run: sources, detection, classification, tracking. No stage imports another."""
