"""Training: a recipe, data, augmentation, a network, the fit, and the export to a model folder. Needs `mien[train]`."""
