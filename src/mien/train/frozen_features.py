"""What the frozen first part of a network makes of each image, computed once, so that only the rest is run in training.

An epoch of VGG-16 at 200x200 takes minutes of processor time, of which its frozen convolutions take all but a second.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mien.data.dataset import Dataset
from mien.errors import RecipeError
from mien.files.targets import output_error
from mien.files.whole import PartFile, write_whole
from mien.recipes.recipe import Recipe
from mien.train.learner import Batch, BatchPositions, Learner, TensorBatches
from mien.train.networks.transfer import Transfer
from mien.words import say

FOLDER = "features"
"""Of a run: `view_0.npy`, ... and `validation.npy`, float16, and what they were made with."""

_KEY = "key.txt"
_BATCH = 32

logger = logging.getLogger(__name__)


def frozen_network(learner: Learner) -> Transfer:
    """The learner's network, whose first part nothing changes.

    Raises:
        RecipeError: it has no such part, or trains it.
    """
    network = learner.network
    if not isinstance(network, Transfer) or network.own_statistics or network.learns_features:
        raise RecipeError(
            f"augment.views computes the frozen first part of a network once, and {learner.recipe.network.name} has "
            "none here; leave augment.views out, or network.unfreeze and network.own_statistics"
        )
    return network


class FrozenFeatures:
    """The features of a data set's images, in files of a run folder; those that are there are not computed again.

    Args:
        learner: its network computes them, and its augmentation draws the views; its weights must have been loaded.
        dataset: with a training and a validation split.
        run: the folder of the run.
        device: where to compute.
        bfloat16: whether to compute in bfloat16.

    Attributes:
        views: for each view, (N, ...) float16 features of the augmented training images.
        validation: (M, ...) float16 features of the validation images as they are.

    Raises:
        RecipeError: the network has no frozen part.
        OutputError: the files cannot be written.
    """

    def __init__(self, learner: Learner, dataset: Dataset, run: Path, *, device: torch.device, bfloat16: bool) -> None:
        self._learner, self._network = learner, frozen_network(learner)
        self._device, self._bfloat16 = device, bfloat16
        self._folder = run / FOLDER
        train, validation = dataset.part("train"), dataset.part("validation")
        self._keep_only_these(dataset)
        learner.to(device)
        views = learner.recipe.augment.views
        self.views = tuple(
            self._kept(f"view_{view}", train, view, say("train.features_view", number=view + 1, views=views))
            for view in range(views)
        )
        self.validation = self._kept("validation", validation, None, say("train.features_validation"))

    def _keep_only_these(self, dataset: Dataset) -> None:
        """Remove features of other weights, images or settings; an interrupted run goes on with its own."""
        key = _key(self._learner.recipe, self._network, dataset, bfloat16=self._bfloat16)
        path = self._folder / _KEY
        if not path.is_file() or path.read_text("ascii") != key:
            for old in self._folder.glob("*.npy"):
                old.unlink()
            write_whole(path, key.encode("ascii"))

    def _kept(self, name: str, part: Dataset, view: int | None, what: str) -> NDArray[np.float16]:
        path = self._folder / f"{name}.npy"
        if not path.is_file():
            started = time.monotonic()
            self._compute(path, part, view)
            logger.info("%s", say("train.features", what=what, seconds=time.monotonic() - started))
        features: NDArray[np.float16] = np.load(path, mmap_mode="r")
        return features

    def _compute(self, path: Path, part: Dataset, view: int | None) -> None:
        file = PartFile(path, keep_suffix=True)
        try:
            out: np.memmap[Any, np.dtype[np.float16]] | None = None
            for start in range(0, len(part), _BATCH):
                features = self._features(torch.from_numpy(part.samples[start : start + _BATCH]), view, start)
                if out is None:
                    shape = (len(part), *features.shape[1:])
                    out = np.lib.format.open_memmap(file.path, "w+", np.float16, shape)
                out[start : start + len(features)] = features
            if out is not None:
                out.flush()
            file.commit()
        except BaseException as error:
            file.discard()
            if isinstance(error, OSError):
                raise output_error(path, error) from error
            raise

    def _features(self, samples: Tensor, view: int | None, start: int) -> NDArray[np.float16]:
        learner = self._learner
        samples = samples.to(self._device)
        if view is not None:  # each batch has a seed of its own, so that an interrupted view is drawn the same
            torch.manual_seed((learner.recipe.fit.seed * 1_009 + view) * 1_000_003 + start)
        images = learner.as_served(samples) if view is None else learner.as_trained(samples)
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            return np.asarray(self._network.features_of(images).half().cpu().numpy())


class FeatureBatches(TorchDataset[Batch]):
    """Features in place of images: of each training image, one view after another from epoch to epoch.

    Args:
        dataset: gives the labels and votes.
        views: (N, ...) float16 features each.
        positions: the sampler, which knows the epoch.
        answers: (N, L) of teachers, as for `TensorBatches`.
    """

    def __init__(
        self,
        dataset: Dataset,
        views: tuple[NDArray[np.float16], ...],
        positions: BatchPositions,
        answers: NDArray[np.float32] | None = None,
    ) -> None:
        self._batches = TensorBatches(dataset, answers)
        self._views = views
        self._positions = positions

    def __getitem__(self, positions: Tensor) -> Batch:
        _, labels, votes = self._batches[positions]
        features = self._views[self._positions.epoch % len(self._views)][positions.numpy()]
        return torch.from_numpy(features), labels, votes


def feature_loader(
    dataset: Dataset,
    views: tuple[NDArray[np.float16], ...],
    *,
    batch: int,
    shuffle: bool,
    seed: int = 0,
    answers: NDArray[np.float32] | None = None,
) -> DataLoader[Batch]:
    """Batches of features, labels and votes, in the order in which images would come."""
    positions = BatchPositions(len(dataset), batch, shuffle=shuffle, seed=seed)
    return DataLoader(FeatureBatches(dataset, views, positions, answers), sampler=positions, batch_size=None)


def _key(recipe: Recipe, network: Transfer, dataset: Dataset, *, bfloat16: bool) -> str:
    """Changes when anything does that the features depend on."""
    digest = hashlib.sha256()
    for name, tensor in network.features.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().float().numpy()).tobytes())
    settings = {"input": asdict(recipe.input), "augment": asdict(recipe.augment), "network": asdict(recipe.network)}
    settings["network"].pop("weights")  # a path: what is in it counts
    digest.update(json.dumps([settings, recipe.fit.seed, dataset.fingerprint(), bfloat16], sort_keys=True).encode())
    return digest.hexdigest()
