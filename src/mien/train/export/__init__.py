"""From a run to a model folder: ONNX, averages, smaller weights, calibration, card."""
