"""One training run: data in, a run folder with checkpoints, curves and a summary out."""

from __future__ import annotations

import json
import logging
import platform
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch.utils.data import DataLoader

from mien import __version__
from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, OutputError
from mien.labels import label_set
from mien.train.learner import BatchPositions, Learner, TensorBatches
from mien.train.recipe import Recipe, recipe_from_dict

RECIPE_FILE = "recipe.json"
SUMMARY_FILE = "summary.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is carried out, apart from what it learns.

    Args:
        out: the run folder.
        device: auto, cpu or cuda.
        resume: go on from the last checkpoint in the folder.
        threads: CPU threads for torch; 0 leaves torch's choice.
        progress: whether to show a progress bar.
    """

    out: Path
    device: str = "auto"
    resume: bool = False
    threads: int = 0
    progress: bool = True


def fit(recipe: Recipe, dataset: Dataset, options: RunOptions) -> dict[str, Any]:
    """Train, keeping the checkpoint that is best on the validation split, and the last one.

    Returns:
        The summary that is also written to the run folder: best epoch, scores, seconds, versions, data fingerprint.

    Raises:
        InputError: the folder holds a run and neither `resume` nor another folder was chosen, or it holds another.
        DataError: the data set has no train or validation samples, or samples or labels of another form than the
            recipe's.
        OutputError: the folder cannot be made.
    """
    train, validation = dataset.part("train"), dataset.part("validation")
    _check_samples(recipe, dataset)
    _claim_folder(recipe, options)
    if options.threads:
        torch.set_num_threads(options.threads)
    L.seed_everything(recipe.fit.seed, verbose=False)
    counts = np.bincount(train.labels, minlength=len(train.label_set)).tolist()
    learner = Learner(recipe, counts)
    best = ModelCheckpoint(
        options.out / "checkpoints", "best", monitor="val_accuracy", mode="max", enable_version_counter=False
    )
    last = ModelCheckpoint(options.out / "checkpoints", "last", enable_version_counter=False)
    stopwatch = _EpochLines()
    callbacks: list[Callback] = [best, last, stopwatch]
    if recipe.fit.ema:
        callbacks.append(EMAWeightAveraging(decay=recipe.fit.ema))
    started = time.monotonic()
    with _quiet():
        trainer = L.Trainer(
            max_epochs=recipe.fit.epochs,
            accelerator=options.device,
            devices=1,
            precision=recipe.fit.precision,
            callbacks=callbacks,
            logger=_loggers(options.out),
            enable_progress_bar=options.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=20,
            default_root_dir=options.out,
        )
        trainer.fit(
            learner,
            _loader(train, recipe.fit.batch, shuffle=True, seed=recipe.fit.seed),
            _loader(validation, 512, shuffle=False),
            ckpt_path=options.out / "checkpoints" / "last.ckpt" if options.resume else None,
            weights_only=False,
        )
    summary = {
        "recipe": recipe.name,
        "epochs": recipe.fit.epochs,
        "best_val_accuracy": None if best.best_model_score is None else round(float(best.best_model_score), 5),
        "last": {name: round(float(value), 5) for name, value in trainer.logged_metrics.items()},
        "parameters": sum(p.numel() for p in learner.network.parameters()),
        "train_samples": len(train),
        "validation_samples": len(validation),
        "data": dataset.source,
        "data_sha256": dataset.fingerprint(),
        "seconds": round(time.monotonic() - started, 1),
        "mien": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    (options.out / SUMMARY_FILE).write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    return summary


def run_recipe(run: Path) -> Recipe:
    """The recipe that a run folder was started with; raises InputError when it holds no run."""
    settings = run / RECIPE_FILE
    if not settings.is_file():
        raise InputError(f"{run} holds no trained run; `mien train` writes one")
    try:
        return recipe_from_dict(json.loads(settings.read_text("utf-8")))
    except json.JSONDecodeError as exc:
        raise InputError(f"{settings} is damaged: {exc}; train again into another folder") from exc


def trained_network(run: Path) -> tuple[Recipe, torch.nn.Module]:
    """The recipe of a run folder and its network with the weights the recipe keeps, ready to evaluate.

    Raises:
        InputError: the folder holds no finished epoch of a run.
    """
    recipe = run_recipe(run)
    checkpoint = run / "checkpoints" / f"{recipe.fit.keep}.ckpt"
    if not checkpoint.is_file():
        raise InputError(f"{run} has no finished epoch yet; `mien train` goes on with --resume")
    learner = Learner(recipe, [1] * len(label_set(recipe.label_set)))
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    learner.load_state_dict(state)
    return recipe, learner.network.eval()


def _check_samples(recipe: Recipe, dataset: Dataset) -> None:
    spec = recipe.input_spec()
    item = (*spec.size_hw, 3) if spec.channels == 3 else spec.size_hw
    if dataset.samples.shape[1:] != item or dataset.label_set.name != recipe.label_set:
        raise DataError(
            f"The recipe {recipe.name} takes samples of {item} with labels of {recipe.label_set}, "
            f"the data set has {dataset.samples.shape[1:]} with {dataset.label_set.name}"
        )


def _claim_folder(recipe: Recipe, options: RunOptions) -> None:
    settings = options.out / RECIPE_FILE
    written = json.dumps(recipe.to_dict(), indent=2) + "\n"
    if options.resume:
        if not (options.out / "checkpoints" / "last.ckpt").is_file():
            raise InputError(f"{options.out} has no checkpoint to resume from; leave out --resume to start")
        if run_recipe(options.out) != recipe:
            raise InputError(f"{options.out} was started with other settings; resume with the same recipe")
        return
    # A run that stopped in its first epoch left nothing to go on from: its folder may be used again.
    if (options.out / "checkpoints").is_dir() or (options.out / SUMMARY_FILE).is_file():
        raise InputError(f"{options.out} already holds a run; go on with --resume or name another folder")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{options.out} cannot be made: {exc.strerror}; name another folder") from exc
    settings.write_text(written, "utf-8")


def _loader(dataset: Dataset, batch: int, *, shuffle: bool, seed: int = 0) -> DataLoader[Any]:
    positions = BatchPositions(len(dataset), batch, shuffle=shuffle, seed=seed)
    return DataLoader(TensorBatches(dataset), sampler=positions, batch_size=None)


def _loggers(out: Path) -> list[Logger]:
    curves = CSVLogger(out, name="", version="curves")
    file = out / "curves" / "metrics.csv"
    earlier = file.read_text("utf-8") if file.is_file() else ""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Previous log files in this directory will be deleted.*")
        writer = curves.experiment
    if earlier:  # Lightning starts a resumed run's file anew; the epochs before are put back
        file.write_text(earlier, "utf-8")
        writer.metrics_keys = earlier.splitlines()[0].split(",")
    return [curves, TensorBoardLogger(out, name="", version="tensorboard")]


class _EpochLines(Callback):
    """One log line an epoch, so that a run without a terminal can be followed."""

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del trainer, pl_module
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del pl_module
        metrics = " ".join(f"{name} {float(value):.4f}" for name, value in sorted(trainer.callback_metrics.items()))
        seconds = time.monotonic() - self._started
        logger.info("epoch %d of %s: %s (%.0f s)", trainer.current_epoch + 1, trainer.max_epochs, metrics, seconds)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without advice that does not apply to tensors in memory, a log line an epoch and a folder resumed on purpose."""
    levels = {name: logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text in (
                ".*does not have many workers.*",
                ".*smaller than the logging interval.*",
                ".*Checkpoint directory .* exists and is not empty.*",
                ".*GPU available but not used.*",
                ".*isinstance.*treespec.*",
            ):
                warnings.filterwarnings("ignore", text)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
