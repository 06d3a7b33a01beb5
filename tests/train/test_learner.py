from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.labels import GESTURES_5
from mien.pixels.preprocess import to_batch
from mien.recipes.recipe import Recipe, load_recipe
from mien.train.learner import BatchPositions, Learner, TensorBatches

MakeRecipe = Callable[..., Recipe]


def order(positions: BatchPositions, epoch: int) -> list[int]:
    positions.set_epoch(epoch)
    return torch.cat(list(positions)).tolist()


def test_the_same_epoch_has_the_same_order_and_another_another() -> None:
    positions = BatchPositions(100, 10, shuffle=True, seed=3)
    first, second = order(positions, 0), order(positions, 1)
    assert first != second != list(range(100))
    assert order(BatchPositions(100, 10, shuffle=True, seed=3), 1) == second
    assert order(BatchPositions(100, 10, shuffle=True, seed=4), 1) != second


@pytest.mark.parametrize(("count", "batch"), [(100, 10), (103, 10), (7, 10), (10, 10), (1, 4)])
def test_training_covers_everything_but_an_incomplete_batch(count: int, batch: int) -> None:
    positions = BatchPositions(count, batch, shuffle=True)
    batches = list(positions)
    assert len(batches) == len(positions)
    assert {len(part) for part in batches} == {min(batch, count)}
    drawn = torch.cat(batches).tolist()
    assert len(set(drawn)) == len(drawn) == count - count % min(batch, count)
    assert set(drawn) <= set(range(count))


def test_what_one_epoch_leaves_out_another_sees() -> None:
    positions = BatchPositions(13, 10, shuffle=True)
    assert set().union(*(order(positions, epoch) for epoch in range(20))) == set(range(13))


@pytest.mark.parametrize("count", [1, 9, 10, 23])
def test_validation_sees_everything_in_order(count: int) -> None:
    positions = BatchPositions(count, 10, shuffle=False)
    assert len(list(positions)) == len(positions)
    assert order(positions, 5) == list(range(count))


def test_a_batch_of_positions_is_a_batch_of_samples(tiny_faces: Dataset) -> None:
    batches = TensorBatches(tiny_faces)
    samples, labels, votes = batches[torch.tensor([5, 3])]
    np.testing.assert_array_equal(samples.numpy(), tiny_faces.samples[[5, 3]])
    assert labels.tolist() == tiny_faces.labels[[5, 3]].tolist()
    assert tiny_faces.votes is not None
    np.testing.assert_array_equal(votes.numpy(), tiny_faces.votes[[5, 3]])
    without = TensorBatches(replace(tiny_faces, votes=None))[torch.tensor([0, 1])][2]
    assert torch.equal(without, torch.zeros(2, 7))


@pytest.mark.parametrize(
    "settings",
    [
        {"size_hw": [16, 16], "colour": "grey", "mean": [0.505], "std": [0.254]},
        {"size_hw": [16, 16], "colour": "rgb", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        {"size_hw": [16, 16], "colour": "rgb", "mean": [0.5], "std": [0.5]},
    ],
    ids=["grey", "rgb", "rgb-one-mean"],
)
def test_training_prepares_images_as_the_run_time_does(tiny_recipe: MakeRecipe, settings: dict[str, Any]) -> None:
    recipe = tiny_recipe(input=settings)
    learner = Learner(recipe, [1] * 7)
    shape = (9, 16, 16) if settings["colour"] == "grey" else (9, 16, 16, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images.reshape(9, -1)[:, :256] = np.arange(256)  # every value there is
    by_torch = learner.normalised(learner._scaled(torch.from_numpy(images))).numpy()
    np.testing.assert_allclose(by_torch, to_batch(images, recipe.input_spec()), atol=2e-6)
    # Without augmentation the training step sees the same numbers.
    np.testing.assert_allclose(learner.as_trained(torch.from_numpy(images)).numpy(), by_torch, atol=2e-6)


def test_landmarks_go_in_as_they_are() -> None:
    learner = Learner(load_recipe("gesture_four"), [1] * 5)
    points = torch.randn(4, 21, 3)
    assert torch.equal(learner.normalised(learner._scaled(points)), points)


def test_the_side_grows_with_the_epochs(tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipe(fit={"epochs": 10, "sizes": [[8, 0.4], [12, 0.3], [16, 0.3]]})
    learner = Learner(recipe, [1] * 7)
    sides = []
    for epoch in range(10):
        monkeypatch.setattr(Learner, "current_epoch", epoch)
        sides.append(learner.side())
        assert learner.as_trained(torch.zeros(2, 16, 16, dtype=torch.uint8)).shape[-2:] == (sides[-1], sides[-1])
    assert sides == [8] * 4 + [12] * 3 + [16] * 3


def test_the_side_of_the_shipped_recipe_ends_at_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe("emotion")
    learner = Learner(recipe, [1] * 7)
    monkeypatch.setattr(Learner, "current_epoch", recipe.fit.epochs - 1)
    assert learner.side() == recipe.input.size_hw[0]


def loss_of(learner: Learner, labels: torch.Tensor, votes: torch.Tensor, logits: torch.Tensor) -> float:
    """The loss of a training step in which the network answers both heads with `logits`."""
    voting = learner.recipe.loss.votes_weight > 0
    learner.network.heads = lambda _: (logits, logits if voting else None)
    learner.log = lambda *_, **__: None  # type: ignore[method-assign]
    return learner.training_step((torch.zeros(len(labels), 16, 16, dtype=torch.uint8), labels, votes), 0).item()


def test_the_loss_by_hand(tiny_recipe: MakeRecipe) -> None:
    logits = torch.randn(6, 7)
    labels, no_votes = torch.tensor([0, 1, 2, 3, 4, 0]), torch.zeros(6, 7)
    minus_log = -logits.log_softmax(dim=1)
    true = minus_log[torch.arange(6), labels]

    plain = loss_of(Learner(tiny_recipe(), [1] * 7), labels, no_votes, logits)
    assert plain == pytest.approx(true.mean().item())

    smooth = loss_of(Learner(tiny_recipe(loss={"label_smoothing": 0.1}), [1] * 7), labels, no_votes, logits)
    assert smooth == pytest.approx((0.9 * true + 0.1 * minus_log.mean(dim=1)).mean().item(), rel=1e-5)

    votes = torch.rand(6, 7).softmax(dim=1)
    votes[2] = 0  # no rater named an expression: this row teaches nothing
    voting = loss_of(Learner(tiny_recipe(loss={"votes_weight": 0.5}), [1] * 7), labels, votes, logits)
    assert voting == pytest.approx((true.mean() + 0.5 * (votes * minus_log).sum(dim=1).mean()).item(), rel=1e-5)

    counts = [4, 1, 1, 1, 1, 1, 1]
    balanced = loss_of(Learner(tiny_recipe(loss={"balance": 0.5}), counts), labels, no_votes, logits)
    weight = torch.tensor([0.5, 1, 1, 1, 1, 1, 1])
    weight /= weight.mean()
    assert balanced == pytest.approx((true * weight[labels]).mean().item(), rel=1e-5)


def test_a_label_without_samples_has_a_finite_weight(tiny_recipe: MakeRecipe) -> None:
    assert Learner(tiny_recipe(loss={"balance": 1.0}), [0, 5, 5, 5, 5, 5, 5]).class_weight.isfinite().all()


def test_a_checkpoint_holds_the_network_and_nothing_else(tiny_recipe: MakeRecipe) -> None:
    learner = Learner(tiny_recipe(), [1] * 7)
    assert {key.split(".")[0] for key in learner.state_dict()} == {"network"}


def test_gestures_learn_from_landmarks() -> None:
    learner = Learner(load_recipe("gesture_four"), [1] * len(GESTURES_5))
    learner.log = lambda *_, **__: None  # type: ignore[method-assign]
    loss = learner.training_step((torch.randn(8, 21, 3), torch.arange(8) % 5, torch.zeros(8, 5)), 0)
    loss.backward()
    assert all(p.grad is not None for p in learner.network.parameters())
