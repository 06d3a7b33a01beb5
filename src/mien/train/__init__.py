"""Training: a recipe, data, augmentation, a network, the fit, and the export to a model folder. Needs `mien[train]`."""

from mien.environment import no_plot_files, no_telemetry

# Imports in this room import others: Lightning imports matplotlib, torch.onnx imports ONNX Runtime.
no_plot_files()
no_telemetry()
