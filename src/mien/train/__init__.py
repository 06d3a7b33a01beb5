"""Training: a recipe, data, augmentation, a network, the fit, and the export to a model folder. Needs `mien[train]`."""

from mien.environment import no_plot_files, no_telemetry

# What is imported in this room imports others in turn: Lightning matplotlib, torch.onnx ONNX Runtime.
no_plot_files()
no_telemetry()
