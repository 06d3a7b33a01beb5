"""Training on views of the pictures that are drawn once, for an accelerator faster than a processor can feed it.

`mien train` draws new views in every epoch and starts every operation from Python: a large accelerator then waits most
of the time. Here all networks of a flagship run share one pool of views in the accelerator's memory, and forward and
backward passes are recorded once and replayed (CUDA graphs). Teachers answer the same views that their student learns
from ("consistent teaching", Beyer et al. 2022). What a run leaves is a run folder as of `mien train`, without the
optimiser's state: it can be evaluated, compared and exported, not resumed.
"""

from __future__ import annotations

import copy
import logging
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mien.data.dataset import Dataset
from mien.labels import label_set
from mien.recipes.recipe import Recipe, changed_recipe
from mien.train.learner import Learner, TensorBatches, side_at
from mien.train.networks.network import Network
from mien.train.outcome import keep_summary, summary_of
from mien.train.runs import start_from_runs
from mien.train.start import claim, start_of

_DRAWN_AT_A_TIME = 2048
_ANSWERED_AT_A_TIME = 2048
_PROBE_STEPS = 24
_LEARNED_BY, _LEARNED = 4, 0.33
"""After so many epochs a network is right more often than this, or nothing is learned: 0.25 are happy."""

_SPARE = 0.95
"""Of a run's time that its epochs are planned to fill; the rest is for validation and for what an estimate misses."""

TwoHeads = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""From (B, C, H, W) images the logits of both heads, (B, L) each; None for a head that a network has not."""

logger = logging.getLogger("mien.flagship")


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The training samples of a flagship run, on the device.

    Args:
        dataset: all samples, with labels and votes; its training part has N samples.
        views: (V, N, H, W) uint8, grey.
        answers: what teachers answer: (N, L) float32 to the pictures, or (V', N, L) to the first V' views, which then
            are the only ones that a run learns from; None without teachers.
    """

    dataset: Dataset
    views: Tensor
    answers: Tensor | None = None


def drawn_views(recipe: Recipe, train: Dataset, count: int, *, device: torch.device, seconds: float) -> Tensor:
    """Up to `count` augmented views of each sample, at least two, in up to `seconds`: (V, N, H, W) uint8 on the
    device."""
    started = time.monotonic()
    try:
        views = _drawn(recipe, train, count, device, started + seconds)
    except RuntimeError:
        if device.type == "cpu":
            raise
        logger.exception("the views could not be drawn on the accelerator; the processor draws them")
        views = _drawn(recipe, train, count, torch.device("cpu"), started + seconds).to(device)
    logger.info("%d views of %d pictures in %.1f s", *views.shape[:2], time.monotonic() - started)
    return views


def _drawn(recipe: Recipe, train: Dataset, count: int, device: torch.device, until: float) -> Tensor:
    learner = learner_of(recipe, train, device)
    samples = torch.from_numpy(train.samples).to(device)
    torch.manual_seed(recipe.fit.seed)
    views: list[Tensor] = []
    taken = 0.0
    while len(views) < count and (len(views) < 2 or time.monotonic() + taken < until):
        started = time.monotonic()
        view = torch.empty_like(samples)
        for first in range(0, len(samples), _DRAWN_AT_A_TIME):
            few = samples[first : first + _DRAWN_AT_A_TIME, None].float().div(255)
            with torch.no_grad():
                changed = learner.augment(few)
            view[first : first + _DRAWN_AT_A_TIME] = changed[:, 0].clamp(0, 1).mul(255).round().to(torch.uint8)
        views.append(view)
        _wait(view)
        taken = time.monotonic() - started
    return torch.stack(views)


def fit_views(
    recipe: Recipe, pool: Pool, run: Path, *, seconds: float, start: Path | None = None, record: bool = True
) -> Network:
    """Train a network in a given time; the number of epochs follows from its measured speed, and is recorded.

    Args:
        recipe: `fit.epochs` is replaced; `fit.keep` becomes `last`; the schedule is one-cycle, with SGD.
        pool: the samples.
        run: a new folder.
        seconds: for everything.
        start: the folder of a run from whose weights it starts, where their shapes agree.
        record: whether its passes are recorded on an accelerator.

    Returns:
        The averaged network (`fit.ema`), ready to evaluate.
    """
    began = time.monotonic()
    device = pool.views.device
    train = pool.dataset.part("train")
    torch.manual_seed(recipe.fit.seed)
    learner = learner_of(recipe, train, device)
    network = learner.network
    if start is not None:
        start_from_runs(network, recipe, [start])
    averaged: Network = copy.deepcopy(network).eval().requires_grad_(False)
    untouched = copy.deepcopy(network.state_dict())
    steps = len(train) // recipe.fit.batch
    sides = [side_at(recipe, percent / 100) for percent in range(100)]
    is_recorded = record and device.type == "cuda"
    heads = {side: two_heads(network, side, recipe.fit.batch, record=is_recorded) for side in dict.fromkeys(sides)}
    loop = _Loop(learner, pool, averaged, total_steps=10**6)
    step_s = {side: loop.seconds_of_step(heads[side], side) for side in heads}
    network.load_state_dict(untouched)
    averaged.load_state_dict(untouched)
    epoch_s = steps * sum(step_s[side] for side in sides) / len(sides)
    epochs = max(int(_SPARE * (seconds - (time.monotonic() - began)) / epoch_s), 1)
    recipe = changed_recipe(recipe, {"fit.epochs": str(epochs), "fit.keep": '"last"'})
    learner.recipe = recipe
    logger.info(
        "%s: %d epochs of %.2f s (%s images per second)",
        recipe.name, epochs, epoch_s, ", ".join(f"{side}: {recipe.fit.batch / s:,.0f}" for side, s in step_s.items()),
    )  # fmt: skip
    claim(run, recipe, start_of(recipe, pool.dataset, devices=1, precision="bf16-mixed"))
    loop = _Loop(learner, pool, averaged, total_steps=epochs * steps)
    validation = pool.dataset.part("validation")
    best, accuracy = 0.0, 0.0
    for epoch in range(epochs):
        side = side_at(recipe, epoch / epochs)
        loss = loop.epoch(heads[side], side, epoch)
        if epoch % max(epochs // 6, 1) == 0 or epoch == epochs - 1:
            answers = logits_of(averaged, learner, validation.samples, device)
            accuracy = float((answers.argmax(axis=1) == validation.labels).mean())
            best = max(best, accuracy)
            spent = time.monotonic() - began
            if epoch >= _LEARNED_BY and accuracy < _LEARNED and is_recorded:
                logger.warning("%s has learned nothing with recorded passes; it starts again without", recipe.name)
                left = seconds - (time.monotonic() - began)
                return fit_views(recipe, pool, run, seconds=left, start=start, record=False)
            logger.info("%s epoch %d loss %.4f val %.4f (%.0f s)", recipe.name, epoch + 1, loss, accuracy, spent)
    keep_network(run, "last", averaged.state_dict(), epoch=epochs - 1, steps=epochs * steps)
    spent = time.monotonic() - began
    figures = {"val_accuracy": accuracy}
    summary = summary_of(
        recipe, pool.dataset, network, epochs=epochs, best=best, last=figures, seconds=spent, machine=machine_of(device)
    )
    keep_summary(run, summary)
    return averaged


def keep_network(run: Path, name: str, state: Mapping[str, Tensor], *, epoch: int, steps: int) -> None:
    """Write a network as a checkpoint of a run, `best` or `last`, with its last epoch, from 0, and its steps so far."""
    path = run / "checkpoints" / f"{name}.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {f"network.{key}": value.cpu() for key, value in state.items()}
    stored = {"state_dict": weights, "epoch": epoch, "global_step": steps}
    torch.save({**stored, "pytorch-lightning_version": lightning.__version__}, path)


def logits_of(
    network: Network, learner: Learner, samples: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float32]:
    """Logits (N, L) of a network for (N, H, W) grey images, in float32."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(samples), _ANSWERED_AT_A_TIME):
            few = torch.from_numpy(np.ascontiguousarray(samples[first : first + _ANSWERED_AT_A_TIME])).to(device)
            found.append(network(learner.as_served(few)).float().cpu())
    return torch.cat(found).numpy()


def answers_to_views(network: Network, recipe: Recipe, pool: Pool, views: int) -> Tensor:
    """Probabilities of a network for the first views of a pool: (views, N, L) float32, on the device."""
    device = pool.views.device
    learner = learner_of(recipe, pool.dataset.part("train"), device)
    found = []
    with torch.inference_mode(), in_bfloat16(device):
        for view in pool.views[:views]:
            parts = [
                network(learner.as_served(view[first : first + _ANSWERED_AT_A_TIME])).float().softmax(dim=1)
                for first in range(0, len(view), _ANSWERED_AT_A_TIME)
            ]
            found.append(torch.cat(parts))
    return torch.stack(found).clone()


class _Loop:
    """Optimiser, schedule and averaged weights of a run, and its steps."""

    def __init__(self, learner: Learner, pool: Pool, averaged: Network, *, total_steps: int) -> None:
        fit = learner.recipe.fit
        self.learner, self.pool, self.averaged = learner, pool, averaged
        samples = TensorBatches(pool.dataset.part("train"))
        self.labels, self.votes = samples.labels.to(pool.views.device), samples.votes.to(pool.views.device)
        self.views = len(pool.views) if pool.answers is None or pool.answers.ndim == 2 else len(pool.answers)
        on_cuda = pool.views.is_cuda
        self.optimizer = torch.optim.SGD(
            learner.network.parameters(), fit.rate, fit.momentum, weight_decay=fit.weight_decay, nesterov=fit.nesterov,
            fused=on_cuda,
        )  # fmt: skip
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, fit.rate, total_steps=total_steps + 1, pct_start=fit.warm_up, cycle_momentum=False
        )
        pairs = [
            (mean, now)
            for mean, now in zip(averaged.state_dict().values(), learner.network.state_dict().values(), strict=True)
            if mean.is_floating_point()
        ]
        self.means, self.nows = [mean for mean, _ in pairs], [now for _, now in pairs]
        self.step = 0

    def seconds_of_step(self, heads: TwoHeads, side: int) -> float:
        """What a step takes on pictures of this side; it changes the weights."""
        positions = torch.randperm(len(self.labels), device=self.labels.device)
        few = list(torch.split(positions, self.learner.recipe.fit.batch))[: _PROBE_STEPS + 4]
        for part in few[:4]:
            self._learn(heads, side, part)
        _wait(self.labels)
        started = time.monotonic()
        counted = few[4:] or few
        for part in counted:
            self._learn(heads, side, part)
        _wait(self.labels)
        return (time.monotonic() - started) / len(counted)

    def epoch(self, heads: TwoHeads, side: int, number: int) -> float:
        """One epoch; returns the mean loss."""
        device, fit = self.labels.device, self.learner.recipe.fit
        torch.manual_seed(fit.seed * 1_000_003 + number)
        order = torch.randperm(len(self.labels), device=device)
        total = torch.zeros((), device=device)
        steps = len(self.labels) // fit.batch
        for part in torch.split(order[: steps * fit.batch], fit.batch):
            total += self._learn(heads, side, part)
        return float(total) / steps

    def _learn(self, heads: TwoHeads, side: int, positions: Tensor) -> Tensor:
        learner, device = self.learner, positions.device
        view = torch.randint(0, self.views, (len(positions),), device=device)
        target, votes = learner.targets(self.labels[positions], self.votes[positions], self._answers(view, positions))
        with torch.no_grad():
            images = self.pool.views[view, positions][:, None].float().div(255)
            if side != images.shape[-1]:
                images = functional.interpolate(images, size=side, mode="bilinear", antialias=True)
            mirrored = torch.rand(len(images), 1, 1, 1, device=device) < 0.5
            images = learner.normalised(torch.where(mirrored, images.flip(3), images))
        images, target, votes = learner.mixed(images, target, votes)
        with in_bfloat16(device):
            logits, vote_logits = heads(images.contiguous(memory_format=torch.channels_last))
        loss = learner.loss_of(logits, vote_logits, target, votes)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        decay = min(learner.recipe.fit.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.means, self.nows, 1 - decay)
        return loss.detach()

    def _answers(self, view: Tensor, positions: Tensor) -> Tensor | None:
        answers = self.pool.answers
        if answers is None:
            return None
        return answers[positions] if answers.ndim == 2 else answers[view, positions]


class _Heads(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        logits, vote_logits = self.network.heads(images)
        return (logits,) if vote_logits is None else (logits, vote_logits)


def two_heads(network: Network, side: int, batch: int, *, record: bool, in_bfloat16_too: bool = True) -> TwoHeads:
    """Forward and backward pass of a network, recorded for pictures of this side if that is wanted and possible."""
    network.train()
    heads = _Heads(network)
    if record:
        weight = next(network.parameters())
        channels = next(module.in_channels for module in network.modules() if isinstance(module, nn.Conv2d))
        sample = torch.randn(batch, channels, side, side, device=weight.device)
        try:
            with in_bfloat16(weight.device, enabled=in_bfloat16_too):
                # replaces its forward
                torch.cuda.make_graphed_callables(heads, (sample.contiguous(memory_format=torch.channels_last),))
        except RuntimeError:
            logger.exception("the passes could not be recorded; they are started one by one")
            heads = _Heads(network)

    def both(images: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, *votes = heads(images)
        return logits, votes[0] if votes else None

    return both


def learner_of(recipe: Recipe, train: Dataset, device: torch.device) -> Learner:
    """An untrained network with its loss and augmentation, on a device."""
    counts = np.bincount(train.labels, minlength=len(label_set(recipe.label_set))).tolist()
    learner = Learner(recipe, counts).to(device)
    learner.network.to(memory_format=torch.channels_last)
    return learner


def in_bfloat16(device: torch.device, *, enabled: bool = True) -> torch.autocast:
    """Mixed precision without the cache of cast weights, which recorded passes cannot use."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


def _wait(on: Tensor) -> None:
    if on.is_cuda:
        torch.cuda.synchronize()


def machine_of(device: torch.device) -> str:
    """What trains, in words."""
    if device.type == "cuda":
        return f"1 x {torch.cuda.get_device_name(device)}"
    return f"{torch.get_num_threads()} cores of {platform.machine()}"
