"""Train recipes on an accelerator with recorded passes: minutes become seconds for small networks.

    python tools/train_recorded.py emotion_tuned --data fer2013.npz --out runs/D --set 'fit.precision="bf16-mixed"'

For recipes with a constant rate or one that falls on a plateau. What is learned is what `mien train` learns from the
same recipe: the same order of the samples, losses, optimiser, rules of choice and of stopping; only the random numbers
of the augmentation differ, because a whole epoch is augmented at once. The run folder can be evaluated, compared and
exported, but not resumed.
"""

from __future__ import annotations

import argparse
import copy
import logging
import time
from pathlib import Path

import torch
from arguments import changes_of, check_device, run_tool
from flagship_views import in_bfloat16, keep_network, learner_of, machine_of, two_heads
from torch import Tensor, nn

from mien.data.dataset import Dataset
from mien.errors import RecipeError
from mien.files.whole import write_whole
from mien.recipes.recipe import Recipe, load_recipe
from mien.recipes.saved import RunSummary
from mien.train.corpus import CorpusPaths, load_corpus
from mien.train.learner import BatchPositions, Learner, TensorBatches
from mien.train.outcome import keep_summary, summary_of
from mien.train.start import claim, start_of

_AT_A_TIME = 2048

logger = logging.getLogger("mien.recorded")


def main() -> None:
    """Train one recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    check_device(parser, options.device)
    recipe = load_recipe(options.recipe, changes=changes_of(parser, options.set))
    dataset = load_corpus(recipe, CorpusPaths(data=options.data))
    fit_recorded(recipe, dataset, options.out, device=torch.device(options.device))


def fit_recorded(recipe: Recipe, dataset: Dataset, run: Path, *, device: torch.device) -> RunSummary:
    """Train a recipe into a new run folder; raises RecipeError if its schedule or augmentation is not for this."""
    if recipe.fit.schedule == "one_cycle" or recipe.fit.ema or recipe.fit.sizes or recipe.augment.views:
        raise RecipeError(f"The recipe {recipe.name} needs `mien train`: a cycle, averaged weights, sizes or views")
    began = time.monotonic()
    torch.manual_seed(recipe.fit.seed)
    train, validation = dataset.part("train"), dataset.part("validation")
    learner = learner_of(recipe, train, device)
    claim(run, recipe, start_of(recipe, dataset, devices=1, precision=recipe.fit.precision))
    loop = _Loop(learner, train, validation, device)
    best, best_epoch, kept, rows = -1.0, 0, learner.network.state_dict(), []
    epoch = 0
    for epoch in range(recipe.fit.epochs):
        figures = loop.epoch(epoch)
        rows.append(figures)
        if figures["val_accuracy"] > best:
            best, best_epoch = figures["val_accuracy"], epoch
            kept = copy.deepcopy(learner.network.state_dict())
        if recipe.fit.stop_patience and epoch - best_epoch >= recipe.fit.stop_patience:
            break
    keep_network(run, "best", kept, epoch=best_epoch, steps=(best_epoch + 1) * loop.steps)
    keep_network(run, "last", learner.network.state_dict(), epoch=epoch, steps=(epoch + 1) * loop.steps)
    _save_curves(run, rows, loop.steps)
    summary = summary_of(
        recipe,
        dataset,
        learner.network,
        epochs=epoch + 1,
        best=best,
        last=rows[-1],
        seconds=time.monotonic() - began,
        machine=f"{machine_of(device)}, recorded passes (tools/train_recorded.py)",
    )
    keep_summary(run, summary)
    logger.info(
        "%s: %d epochs in %.0f s, best %.4f in epoch %d", recipe.name, epoch + 1, summary.seconds, best, best_epoch + 1
    )
    return summary


class _Loop:
    """The epochs of a run."""

    def __init__(self, learner: Learner, train: Dataset, validation: Dataset, device: torch.device) -> None:
        recipe = learner.recipe
        self.learner, self.device = learner, device
        batches = TensorBatches(train)
        self.samples, self.labels, self.votes = (
            part.to(device) for part in (batches.samples, batches.labels, batches.votes)
        )
        self.validation = torch.from_numpy(validation.samples).to(device)
        self.truth = torch.from_numpy(validation.labels).to(device)
        self.heads = two_heads(
            learner.network, recipe.input.size_hw[0], recipe.fit.batch, record=device.type == "cuda",
            in_bfloat16_too=recipe.fit.precision == "bf16-mixed",
        )  # fmt: skip
        chosen = learner.configure_optimizers()
        self.plateau = chosen["lr_scheduler"]["scheduler"] if isinstance(chosen, dict) else None
        self.optimizer = chosen["optimizer"] if isinstance(chosen, dict) else chosen
        self.positions = BatchPositions(len(train), recipe.fit.batch, shuffle=True, seed=recipe.fit.seed)
        self.steps = len(self.positions)

    def epoch(self, number: int) -> dict[str, float]:
        """Train and validate once; returns the figures."""
        learner, recipe = self.learner, self.learner.recipe
        torch.manual_seed(recipe.fit.seed * 1_000_003 + number)
        self.positions.set_epoch(number)
        images = torch.cat([learner.as_trained(few) for few in torch.split(self.samples, _AT_A_TIME)])
        loss_sum, right = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        learner.network.train()
        seen = 0
        for positions in self.positions:
            at = positions.to(self.device)
            seen += len(at)
            target, votes = learner.targets(self.labels[at], self.votes[at], None)
            inputs, target, votes = learner.mixed(images[at], target, votes)
            with in_bfloat16(self.device, enabled=recipe.fit.precision == "bf16-mixed"):
                logits, vote_logits = self.heads(inputs.contiguous(memory_format=torch.channels_last))
            loss = learner.loss_of(logits, vote_logits, target, votes)
            loss_sum += loss.detach() * len(at)
            right += (logits.argmax(dim=1) == self.labels[at]).sum()
            if recipe.loss.l2:
                loss = loss + recipe.loss.l2 * sum(w.square().sum() for w in learner.network.regularised())
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        figures = {
            "train_loss": float(loss_sum) / seen,
            "train_accuracy": float(right) / seen,
            "val_accuracy": self._val_accuracy(learner.network),
            "lr": float(self.optimizer.param_groups[0]["lr"]),
        }
        if self.plateau is not None:
            self.plateau.step(figures[recipe.fit.plateau_on])
        return figures

    def _val_accuracy(self, network: nn.Module) -> float:
        network.eval()
        found: list[Tensor] = []
        with torch.no_grad(), in_bfloat16(self.device, enabled=self.learner.recipe.fit.precision == "bf16-mixed"):
            for few in torch.split(self.validation, _AT_A_TIME):
                found.append(network(self.learner.as_served(few)).argmax(dim=1))
        return float((torch.cat(found) == self.truth).float().mean())


def _save_curves(run: Path, rows: list[dict[str, float]], steps: int) -> None:
    lines = ["epoch,step,lr,train_accuracy,train_loss,val_accuracy"]
    for epoch, row in enumerate(rows):
        figures = [f"{row[name]:.6g}" for name in ("lr", "train_accuracy", "train_loss", "val_accuracy")]
        lines.append(",".join([str(epoch), str((epoch + 1) * steps - 1), *figures]))
    (run / "curves").mkdir(exist_ok=True)
    write_whole(run / "curves" / "metrics.csv", ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    run_tool(main)
