"""The training step: augment, forward, loss; and the validation that chooses the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import lightning as L
import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from mien.data.dataset import Dataset
from mien.labels import label_set
from mien.recipes.recipe import Recipe
from mien.train.augment import LandmarkAugmentation, image_augmentation, mixup
from mien.train.networks import build_network
from mien.train.networks.transfer import Transfer

Batch = tuple[Tensor, Tensor, Tensor]


class Learner(L.LightningModule):
    """A network with its loss, augmentation and optimiser, all from the recipe.

    Args:
        recipe: the run.
        class_counts: number of training samples of each label.
    """

    mean: Tensor
    std: Tensor
    class_weight: Tensor

    def __init__(self, recipe: Recipe, class_counts: list[int]) -> None:
        super().__init__()
        self.recipe = recipe
        self.labels = label_set(recipe.label_set)
        self.network = build_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.is_image = recipe.data.kind != "hands"
        self.takes_features = recipe.augment.views > 0  # of the network's frozen part (`mien.train.frozen_features`)
        self.augment: nn.Module = (
            image_augmentation(recipe.augment, self.labels) if self.is_image else LandmarkAugmentation(recipe.augment)
        )
        channels = 1 if recipe.input.colour == "grey" else 3
        for name, values in (("mean", recipe.input.mean), ("std", recipe.input.std)):
            self.register_buffer(name, torch.tensor(values).expand(channels)[:, None, None], persistent=False)
        weight = torch.tensor(class_counts, dtype=torch.float32).clamp(min=1) ** -recipe.loss.balance
        self.register_buffer("class_weight", weight / weight.mean(), persistent=False)
        self.only_answer = ""  # the label that the last validation gave every sample; empty if there were several
        self._validation: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: Batch, _batch_index: int) -> Tensor:
        # A resumed run draws the same augmentation as an uninterrupted one. Seeded by step, not by epoch: Lightning
        # resumes with data loaders made at another moment, and making one draws a number too.
        # Each device draws its own.
        torch.manual_seed((self.recipe.fit.seed * 1_000_003 + self.global_step) * 1_009 + self.global_rank)
        samples, labels, votes = batch
        L_ = len(self.labels)
        answers = votes[:, L_:] if votes.shape[1] > L_ else None
        target, votes = self.targets(labels, votes[:, :L_], answers)
        inputs = samples if self.takes_features else self.as_trained(samples)
        inputs, target, votes = self.mixed(inputs, target, votes)
        logits, vote_logits = self._heads(inputs)
        loss = self.loss_of(logits, vote_logits, target, votes)
        shown = {"train_loss": loss.detach()}
        if not self.recipe.augment.mixup:  # a blend of two images has no single right answer
            shown["train_accuracy"] = (logits.argmax(dim=1) == labels).float().mean()
        self.log_dict(shown, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True)
        if self.recipe.loss.l2:
            loss = loss + self.recipe.loss.l2 * sum(w.square().sum() for w in self.network.regularised())
        return loss

    def targets(self, labels: Tensor, votes: Tensor, answers: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the two heads are to say, (B, L) each.

        Args:
            labels: (B,) int64.
            votes: (B, L) of the raters.
            answers: (B, L) of the teachers; None without teachers.
        """
        count, smoothing = len(self.labels), self.recipe.loss.label_smoothing
        target = F.one_hot(labels, count).float() * (1 - smoothing) + smoothing / count
        return target if answers is None else target.lerp(answers, self.recipe.loss.teacher_weight), votes

    def mixed(self, inputs: Tensor, target: Tensor, votes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Samples and what is to be said of them, blended as the recipe says."""
        inputs, both = mixup(inputs, torch.cat([target, votes], dim=1), self.recipe.augment.mixup)
        return inputs, both[:, : len(self.labels)], both[:, len(self.labels) :]

    def loss_of(self, logits: Tensor, vote_logits: Tensor | None, target: Tensor, votes: Tensor) -> Tensor:
        """Mean cross-entropy of the label head, and of the votes head with its weight; all tensors are (B, L)."""
        loss = -(target * F.log_softmax(logits.float(), dim=1) * self.class_weight).sum(dim=1).mean()
        if vote_logits is not None:
            others = -(votes * F.log_softmax(vote_logits.float(), dim=1)).sum(dim=1).mean()
            loss = loss + self.recipe.loss.votes_weight * others
        return loss

    def _heads(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.takes_features and isinstance(self.network, Transfer):
            return self.network.heads_of(inputs.float())
        logits, vote_logits = self.network.heads(inputs)
        return logits, vote_logits

    def on_train_epoch_end(self) -> None:
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])

    def validation_step(self, batch: Batch, _batch_index: int) -> None:
        samples, labels, _ = batch
        if not self.takes_features:
            samples = self.as_trained(samples) if self.recipe.augment.validation else self.as_served(samples)
        self._validation.append((self._heads(samples)[0].float(), labels))

    def on_validation_epoch_end(self) -> None:
        logits = torch.cat([logits for logits, _ in self._validation])
        labels = torch.cat([labels for _, labels in self._validation])
        self._validation.clear()
        L_ = len(self.labels)
        given = torch.unique(logits.argmax(dim=1)).tolist()
        self.only_answer = self.labels.labels[given[0]] if len(given) == 1 else ""
        scores = {
            "val_loss": F.cross_entropy(logits, labels),
            "val_accuracy": multiclass_accuracy(logits, labels, L_, average="micro"),
            "val_macro_f1": multiclass_f1_score(logits, labels, L_, average="macro"),
        }
        self.log_dict(scores, prog_bar=True)

    def configure_optimizers(self) -> Any:
        fit = self.recipe.fit
        weights = [p for p in self.network.parameters() if p.requires_grad]
        optimizer: torch.optim.Optimizer
        if fit.optimizer == "sgd":
            optimizer = torch.optim.SGD(
                weights, fit.rate, fit.momentum, weight_decay=fit.weight_decay, nesterov=fit.nesterov
            )
        elif fit.optimizer == "adam":
            optimizer = torch.optim.Adam(weights, fit.rate, eps=1e-7, weight_decay=fit.weight_decay)  # Keras' epsilon
        else:
            optimizer = torch.optim.AdamW(weights, fit.rate, weight_decay=fit.weight_decay)
        if fit.schedule == "constant":
            return optimizer
        schedule: torch.optim.lr_scheduler.LRScheduler
        if fit.schedule == "plateau":
            schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer,
                mode="max",
                factor=fit.plateau_factor,
                patience=fit.plateau_patience,
                threshold=1e-4,
                threshold_mode="abs",
                min_lr=fit.least_rate,
            )
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": fit.plateau_on}}
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=fit.rate,
            total_steps=steps,
            pct_start=warm_up_of(fit.warm_up, steps),
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def normalised(self, samples: Tensor) -> Tensor:
        """Images from 0 to 1, normalised as by `mien.pixels.preprocess.to_batch`; landmarks unchanged."""
        return (samples - self.mean) / self.std if self.is_image else samples

    def side(self) -> int:
        """Side of the training images in this epoch, in pixels."""
        return side_at(self.recipe, self.current_epoch / self.recipe.fit.epochs)

    def _scaled(self, samples: Tensor) -> Tensor:
        if not self.is_image:
            return samples
        images = samples[:, None] if samples.ndim == 3 else samples.permute(0, 3, 1, 2)
        return images.float().div(255).contiguous(memory_format=torch.channels_last)

    def as_served(self, samples: Tensor) -> Tensor:
        """Samples as the network gets them at run time."""
        images = self._scaled(samples)
        if self.is_image and images.shape[-2:] != self.recipe.input.size_hw:
            images = F.interpolate(images, size=self.recipe.input.size_hw, mode="bilinear", antialias=True)
        return self.normalised(images)

    def as_trained(self, samples: Tensor) -> Tensor:
        """Samples as the network gets them in training: of this epoch's size, and augmented."""
        images = self._scaled(samples)
        if not self.is_image:
            return cast(Tensor, self.augment(images))
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            if self.side() != images.shape[-1]:
                images = F.interpolate(images, size=self.side(), mode="bilinear", antialias=True)
            return self.normalised(self.augment(images))


def warm_up_of(share: float, steps: int) -> float:
    """The share of the steps in which the rate rises: a little more where that is one step, for which torch divides by
    zero."""
    return share if share * steps - 1 else (1 + 1e-6) / steps


def side_at(recipe: Recipe, progress: float) -> int:
    """Side of the training images, in pixels, once so much of a run is done, 0 to 1."""
    for side, share in recipe.fit.sizes:
        progress -= share
        if progress < -1e-9:
            return int(side)
    return recipe.input.size_hw[0]


class TensorBatches(TorchDataset[Batch]):
    """A data set already in memory; an index is a whole batch of positions, so that no sample is copied alone.

    Args:
        dataset: gives (B, ...) samples, (B,) labels and (B, L) votes, zeros where it has none.
        taught: (N, L) answers of teachers; the votes are then (B, 2 L), the answers behind them.
    """

    def __init__(self, dataset: Dataset, soft_targets: NDArray[np.float32] | None = None) -> None:
        self.samples = torch.from_numpy(dataset.samples)
        self.labels = torch.from_numpy(dataset.labels)
        votes = dataset.votes
        self.votes = torch.zeros(len(dataset), len(dataset.label_set)) if votes is None else torch.from_numpy(votes)
        if soft_targets is not None:
            self.votes = torch.cat([self.votes, torch.from_numpy(soft_targets)], dim=1)

    def __getitem__(self, positions: Tensor) -> Batch:
        return self.samples[positions], self.labels[positions], self.votes[positions]


class BatchPositions(Sampler[Tensor]):
    """Positions of each batch; shuffled by seed and epoch alone, so that a resumed run sees the same order.

    Several devices share a shuffled order: a step's positions are cut into one piece for each of them, so that together
    they see what one device with as many times the batch sees. Without shuffling each device sees all.

    Args:
        count: number of samples.
        batch: samples a batch, on each device.
        shuffle: whether to draw a new order each epoch; an incomplete last batch is then left out.
        seed: of the order.
    """

    def __init__(self, count: int, batch: int, *, shuffle: bool, seed: int = 0) -> None:
        self.count, self.shuffle, self.seed = count, shuffle, seed
        self.batch = min(batch, count)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def rank_and_world(self) -> tuple[int, int]:
        """Which device this is, of how many."""
        if self.shuffle and dist.is_available() and dist.is_initialized():
            return dist.get_rank(), dist.get_world_size()
        return 0, 1

    def __len__(self) -> int:
        step = self.batch * self.rank_and_world[1]
        return self.count // step if self.shuffle else -(-self.count // step)

    def __iter__(self) -> Iterator[Tensor]:
        rank, world = self.rank_and_world
        order = torch.arange(self.count)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.count, generator=generator)
        for step in torch.split(order, self.batch * world)[: len(self)]:
            yield step[rank * self.batch : (rank + 1) * self.batch]
