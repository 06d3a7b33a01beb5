"""What feeding the network costs, as ratios in one run.

Prints the share of a training step that data and augmentation take, how much faster an epoch is than with the same
network fed by a torch DataLoader whose two workers decode a picture file at a time, and the peak memory of a run.

    python benchmarks/training.py fer2013.csv.xz [--recipe emotion_cnn3_relu] [--samples 4096]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mien.data.dataset import Dataset
from mien.pixels.images import read_image, write_image
from mien.recipes.recipe import Recipe, load_recipe
from mien.train.corpus import CorpusPaths, load_corpus
from mien.train.learner import Batch, BatchPositions, Learner, TensorBatches
from mien.train.machine import keep_freed_memory


class Pictures(TorchDataset[tuple[torch.Tensor, int]]):
    """One picture file a sample, decoded when asked for, as an image folder does."""

    def __init__(self, paths: list[Path], labels: np.ndarray) -> None:
        self.paths, self.labels = paths, labels

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(read_image(self.paths[i])[..., 0].copy()), int(self.labels[i])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="FER2013, as CSV or packed")
    parser.add_argument("--recipe", default="emotion_cnn3_relu")
    parser.add_argument("--samples", type=int, default=4096, help="training images of a measured epoch")
    options = parser.parse_args()
    keep_freed_memory()
    recipe = load_recipe(options.recipe)
    train = load_corpus(recipe, CorpusPaths(data=options.data)).part("train")
    some = train.where(np.arange(len(train)) < options.samples)
    learner = Learner(recipe, [1] * len(some.label_set))
    fed, whole = step_shares(recipe, learner, some)
    print(f"{recipe.name}, batches of {recipe.fit.batch}, {torch.get_num_threads()} threads, float32")
    print(f"data and augmentation: {100 * fed / whole:.1f} % of a step of {1000 * whole:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        ours, files = epoch_seconds(recipe, learner, some, Path(folder))
    print(f"an epoch of {len(some)} images: {ours:.1f} s; fed from picture files by 2 workers {files:.1f} s, ", end="")
    print(f"{files / ours:.2f} times as long")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def step_shares(recipe: Recipe, learner: Learner, dataset: Dataset) -> tuple[float, float]:
    """Median seconds of feeding a batch and of the whole step."""
    network, optimizer = learner.network.train(), torch.optim.Adam(learner.network.parameters(), 1e-3)
    fed, whole = [], []
    for batch in batches(recipe, dataset):
        started = time.perf_counter()
        inputs, labels = feed(learner, batch)
        fed.append(time.perf_counter() - started)
        step(network, optimizer, inputs, labels)
        whole.append(time.perf_counter() - started)
    return statistics.median(fed), statistics.median(whole)


def epoch_seconds(recipe: Recipe, learner: Learner, dataset: Dataset, folder: Path) -> tuple[float, float]:
    """Seconds of an epoch from memory and of one from files; two of each in turn, the better of each counts."""
    paths = [folder / f"{i:05}.png" for i in range(len(dataset))]
    for path, image in zip(paths, dataset.samples, strict=True):
        write_image(path, np.repeat(image[..., None], 3, axis=2))
    pictures = Pictures(paths, dataset.labels)
    network, optimizer = learner.network.train(), torch.optim.Adam(learner.network.parameters(), 1e-3)
    ours, files = [], []
    for _ in range(2):
        started = time.perf_counter()
        for batch in batches(recipe, dataset):
            step(network, optimizer, *feed(learner, batch))
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        for samples, labels in DataLoader(pictures, recipe.fit.batch, shuffle=True, num_workers=2, drop_last=True):
            step(network, optimizer, *feed(learner, (samples, labels, labels)))
        files.append(time.perf_counter() - started)
    return min(ours), min(files)


def batches(recipe: Recipe, dataset: Dataset) -> DataLoader[Batch]:
    positions = BatchPositions(len(dataset), recipe.fit.batch, shuffle=True)
    return DataLoader(TensorBatches(dataset), sampler=positions, batch_size=None)


def feed(learner: Learner, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return learner.as_trained(batch[0]), batch[1]


def step(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor, labels: torch.Tensor
) -> None:
    optimizer.zero_grad()
    functional.cross_entropy(network(inputs), labels).backward()
    optimizer.step()


if __name__ == "__main__":
    main()
