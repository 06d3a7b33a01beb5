from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS
from mien.recipes.recipe import Recipe, recipe_from_dict

SIDE = 16


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors: more threads cost more than they give, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., Recipe]:
    """A recipe for `tiny_faces`; sections given replace single settings."""

    def make(**sections: dict[str, Any]) -> Recipe:
        data: dict[str, Any] = {
            "name": "tiny",
            "task": "emotion",
            "label_set": "emotions",
            "input": {"size_hw": [SIDE, SIDE], "mean": [0.4], "std": [0.2]},
            "network": {"widths": [8, 16], "dropout": 0.1},
            "fit": {"epochs": 3, "batch": 16, "rate": 0.1},
        }
        for name, values in sections.items():
            data[name] = data.get(name, {}) | values
        return recipe_from_dict(data)

    return make


@pytest.fixture(scope="session")
def tiny_faces() -> Dataset:
    """Noise with a bright bar whose row tells the label: 140 to train, 42 to validate, 14 to test."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(7), 28)
    samples = random.integers(40, 120, (len(labels), SIDE, SIDE), np.uint8)
    for sample, label in zip(samples, labels, strict=True):
        sample[2 * label : 2 * label + 2] += 110
    votes = np.eye(7, dtype=np.float32)[labels] * 0.7 + 0.3 / 7
    return Dataset(
        samples=samples,
        labels=labels,
        split=np.array(["train"] * 140 + ["validation"] * 42 + ["test"] * 14),
        groups=np.full(len(labels), ""),
        label_set=EMOTIONS,
        votes=votes.astype(np.float32),
        source="bars",
    )
