"""One training run: data in, a run folder with checkpoints, curves and a summary out."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from mien.data.classes import strangers, strangers_told
from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, RecipeError, UnknownName
from mien.labels import LABEL_SETS, label_set
from mien.recipes.chain import run_of
from mien.recipes.recipe import Recipe
from mien.recipes.saved import RunSummary
from mien.train.callbacks import EpochLines, ImagesBar, MovedRun, SampleBatch, StopAtNonsense
from mien.train.distil import keep_answers, kept_answers, soft_targets
from mien.train.frozen_features import FrozenFeatures, feature_loader, frozen_network
from mien.train.guards import disk_errors, interruptions, of_processes, quiet
from mien.train.learner import BatchPositions, Learner, TensorBatches
from mien.train.machine import what_trained
from mien.train.networks import load_start_weights
from mien.train.outcome import keep_summary, summary_of
from mien.train.runs import checkpoint_of, start_from_runs
from mien.train.start import (
    Start,
    check_data,
    check_new,
    check_recipe,
    claim,
    ended,
    held_run,
    is_first_process,
    last_figures,
    reached_by,
    start_of,
)
from mien.wording import count
from mien.words import say

DEVICES = ("auto", "cpu", "cuda")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run is carried out, apart from what it learns.

    Args:
        out: the run folder.
        device: auto, cpu or cuda.
        devices: how many of them on each machine; each takes a batch of the recipe's size.
        nodes: how many machines; each starts the same command, under a launcher that Lightning knows (torchrun, SLURM).
        resume: continue from the last checkpoint in the folder, with the same recipe, data and number of devices; a run
            that has ended stays as it is.
        threads: CPU threads for torch; 0 leaves torch's choice.
        progress: whether to show a progress bar.
    """

    out: Path
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    resume: bool = False
    threads: int = 0
    progress: bool = True


def fit(recipe: Recipe, dataset: Dataset, options: RunOptions) -> RunSummary:
    """Train, keeping the checkpoint that is best on the validation split, and the last one.

    Returns:
        The summary that is also written to the run folder: best epoch, scores, seconds, versions, data fingerprint.

    Raises:
        RefusedOutput: the folder holds a run and neither `resume` nor another folder was chosen, there is nothing to
            resume, or it was started with something else (what is named), or another training is at work in it.
        InputError: the weights to start from are not what the network takes, or the device is not there.
        DataError: the data set has no train or validation samples, none of a label, or samples or labels of another
            form than the recipe's.
        OutputError: the folder or a checkpoint cannot be written.
        TrainingStopped: the loss became infinite or not a number.
        KeyboardInterrupt: on Ctrl-C or a request to end; finished epochs are kept.
    """
    with held_run(options.out):
        if not options.resume:
            check_new(options.out)
        return _fitted(recipe, dataset, options)


def _fitted(recipe: Recipe, dataset: Dataset, options: RunOptions) -> RunSummary:
    start = checked_start(recipe, dataset, options)
    if options.resume and (summary := ended(options.out)) is not None:
        logger.info("%s", say("train.nothing_left", folder=options.out))
        return summary
    train = dataset.part("train")
    counts = _class_counts(recipe, train, options)
    _check_device(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    L.seed_everything(recipe.fit.seed, verbose=False)
    learner = Learner(recipe, counts)
    check_network(recipe, learner)
    learner.network.train()
    if learner.takes_features:
        frozen_network(learner)
        if options.devices * options.nodes > 1:
            raise InputError("augment.views trains on one device; leave out --devices and --nodes")
    if not options.resume:
        named = (each for each in (recipe.network.weights, *recipe.network.averaged) if each)
        runs = [Path(run_of(each, recipe, options.out.parent)) for each in named]
        if recipe.network.averaged or (runs and runs[0].is_dir()):
            start_from_runs(learner.network, recipe, runs)
        else:
            load_start_weights(learner.network, recipe)
    answers = kept_answers(options.out, train) if options.resume else None
    if recipe.loss.teachers and answers is None:
        teachers = tuple(run_of(each, recipe, options.out.parent) for each in recipe.loss.teachers)
        answers = soft_targets(train, teachers, bfloat16=start.precision == "bf16-mixed")
    if not options.resume:
        claim(options.out, recipe, start)
    if answers is not None:
        keep_answers(options.out, answers)
    loaders = _loaders(learner, dataset, options, answers=answers, bfloat16=start.precision == "bf16-mixed")
    best = ModelCheckpoint(
        options.out / "checkpoints", "best", monitor="val_accuracy", mode="max", enable_version_counter=False
    )
    lines = EpochLines()
    before = reached_by(options.out) if options.resume else None
    started = time.monotonic()
    with quiet(), disk_errors(options.out), interruptions(), of_processes():
        trainer = _trainer(recipe, options, [best, lines])
        trainer.fit(
            learner,
            *loaders,
            ckpt_path=options.out / "checkpoints" / "last.ckpt" if options.resume else None,
            weights_only=True,
        )
    # From the folder: what was learned in other processes, or before this start, the trainer here does not know.
    reached = reached_by(options.out)
    summary = summary_of(
        recipe,
        dataset,
        learner.network,
        epochs=0 if reached is None else reached.epochs,
        best=None if reached is None else reached.best,
        last=last_figures(options.out),
        seconds=(0.0 if before is None else before.seconds) + time.monotonic() - started,
        machine=what_trained(trainer),
    )
    if is_first_process():
        keep_summary(options.out, summary)
    return summary


def check_training(recipe: Recipe, options: RunOptions) -> None:
    """Check what can be checked of a training before its data is read.

    Raises:
        RecipeError: the network cannot take the images, or the model could not be exported.
        InputError: the device is not there.
    """
    _check_device(options)
    _check_export(recipe)
    check_network(recipe)


def _check_export(recipe: Recipe) -> None:
    # Not in the recipe itself: a model whose networks see the views in turn already is exported again without partners.
    if recipe.export.mirror == "turns" and not recipe.export.partners:
        raise RecipeError(
            f'recipe {recipe.name}: with export.mirror = "turns" networks see the two views in turn; name others in '
            "export.partners"
        )


def checked_start(recipe: Recipe, dataset: Dataset, options: RunOptions) -> Start:
    """What `fit` starts a run with, once all is checked that needs no training: the samples, and the run to resume.

    Raises:
        RefusedOutput, InputError, DataError: as `fit`.
    """
    train, _ = dataset.part("train"), dataset.part("validation")
    devices = options.devices * options.nodes
    start = start_of(recipe, dataset, devices=devices, precision=str(_precision(recipe, options)))
    if options.resume:
        check_recipe(options.out, recipe, devices=devices)
        check_data(options.out, start)
    if not options.resume or ended(options.out) is None:
        _check_export(recipe)
        _check_samples(recipe, dataset)
        _class_counts(recipe, train, options)
    return start


def _trainer(recipe: Recipe, options: RunOptions, watched: list[Callback]) -> L.Trainer:
    last = ModelCheckpoint(options.out / "checkpoints", "last", enable_version_counter=False)
    callbacks: list[Callback] = [*watched, last, MovedRun(), SampleBatch(), StopAtNonsense()]
    if recipe.fit.ema:
        callbacks.append(EMAWeightAveraging(decay=recipe.fit.ema))
    if recipe.fit.stop_patience:
        callbacks.append(EarlyStopping("val_accuracy", mode="max", patience=recipe.fit.stop_patience, min_delta=0))
    if options.progress:
        callbacks.append(ImagesBar(recipe.fit.batch * options.devices * options.nodes))
    strategy = "auto" if options.devices * options.nodes == 1 else "ddp_spawn" if options.nodes == 1 else "ddp"
    return L.Trainer(
        max_epochs=recipe.fit.epochs,
        accelerator=options.device,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=strategy,
        precision=_precision(recipe, options),
        callbacks=callbacks,
        logger=_loggers(options.out),
        use_distributed_sampler=False,
        enable_progress_bar=options.progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        default_root_dir=options.out,
    )


def _check_samples(recipe: Recipe, dataset: Dataset) -> None:
    spec = recipe.input_spec()
    item = (*spec.size_hw, 3) if spec.channels == 3 else spec.size_hw
    there = dataset.samples.shape[1:]
    # Images may be stored smaller or larger than the network's input: they are resized on the device, batch by batch.
    fits = there == item if spec.kind == "landmarks" else len(there) == len(item) and there[2:] == item[2:]
    if not fits:
        raise DataError(
            f"The recipe {recipe.name} takes samples of {item}, the data set has {there}; change input.size_hw or "
            "input.colour, or import the data again"
        )
    if dataset.label_set.name != recipe.label_set:
        raise DataError(f"The recipe {recipe.name} learns {recipe.label_set}. {_labels_told(recipe, dataset)}")


def _labels_told(recipe: Recipe, dataset: Dataset) -> str:
    """What the labels of a data set are instead of the recipe's, and what to do."""
    own, wanted = dataset.label_set, label_set(recipe.label_set)
    what = dataset.source or "The data set"
    if own.name in LABEL_SETS and not own.name.startswith(recipe.task):
        return f"{what} has labels of {own.name}; name a recipe for these"
    if own.name in LABEL_SETS:
        there = {own.labels[index] for index in np.unique(dataset.labels)}
        absent = [label for label in wanted.labels if label not in there]
        lacks = f" and lacks {', '.join(absent)}" if absent else ""
        if not there.issuperset(own.labels):  # it would lack some of the smaller set too
            return f"{what} has no pictures of {', '.join(absent)}; import pictures of all labels"
        return (
            f"{what} has labels of {own.name}{lacks}; add --set label_set={own.name}, or import pictures of all of them"
        )
    return f"{strangers_told(strangers(own.labels, wanted), wanted, where=what)} Rename the classes"


def _class_counts(recipe: Recipe, train: Dataset, options: RunOptions) -> list[int]:
    counts: list[int] = np.bincount(train.labels, minlength=len(train.label_set)).tolist()
    missing = [label for label, count in zip(train.label_set.labels, counts, strict=True) if not count]
    if missing:
        raise DataError(
            f"The training split of {train.source or 'the data set'} has no {', '.join(missing)}; the recipe "
            f"{recipe.name} learns {', '.join(train.label_set.labels)}"
        )
    devices = options.devices * options.nodes
    if len(train) < 2 * devices or (devices > 1 and len(train) < recipe.fit.batch * devices):
        raise DataError(
            f"{count(len(train), 'training sample')} {'is' if len(train) == 1 else 'are'} too few for batches of "
            f"{recipe.fit.batch} on {count(devices, 'device')}: batch norm needs two samples per batch"
        )
    return counts


def check_network(recipe: Recipe, learner: Learner | None = None) -> None:
    """Check that the network can take what the recipe feeds it: the published ones take one form of image, and others
    halve the images so often that small ones vanish.

    Args:
        recipe: names the network, and the sizes of the images.
        learner: with the network, where there is one.

    Raises:
        RecipeError: it cannot.
    """
    network = (learner or Learner(recipe, [1] * len(label_set(recipe.label_set)))).network.eval()
    spec = recipe.input_spec()
    if spec.kind == "landmarks":
        _check_takes(network, spec.size_hw, recipe, "landmarks", "name another network")
        return
    named = "or name another network (`mien recipes` shows what each takes)"
    sides = [(spec.size_hw[0], "input.colour or input.size_hw")]
    sides += [(int(side), "fit.sizes") for side, _ in recipe.fit.sizes[:-1]]
    for side, setting in sides:
        what = f"{spec.colour} images of {side}x{side} pixels"
        _check_takes(network, (spec.channels, side, side), recipe, what, f"change {setting}, {named}")


def _check_takes(network: torch.nn.Module, form: tuple[int, ...], recipe: Recipe, what: str, cure: str) -> None:
    try:
        with torch.inference_mode():
            network(torch.zeros(2, *form))
    except (RuntimeError, IndexError) as exc:
        raise RecipeError(f"The network {recipe.network.name} cannot take {what}; {cure}") from exc


def _check_device(options: RunOptions) -> None:
    if options.device not in DEVICES:
        raise UnknownName("device", options.device, DEVICES)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "There is no CUDA device that torch can use here; --device cpu or auto trains on the processor"
        )
    there = torch.cuda.device_count()
    if options.devices > 1 and options.device != "cpu" and there and options.devices > there:
        raise InputError(f"{options.devices} devices were asked for, but there are {count(there, 'CUDA device')} here")


def _precision(recipe: Recipe, options: RunOptions) -> Any:
    """What the recipe says, `auto` resolved: bfloat16 pays only where the hardware computes it."""
    if recipe.fit.precision != "auto":
        return recipe.fit.precision
    if options.device != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16-mixed" if supported() else "32-true"


def _loaders(
    learner: Learner, dataset: Dataset, options: RunOptions, *, answers: NDArray[np.float32] | None, bfloat16: bool
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The training and the validation batches: of images or, where the recipe has views, of frozen features."""
    fit, train, validation = learner.recipe.fit, dataset.part("train"), dataset.part("validation")
    if not learner.takes_features:
        return (
            _loader(train, fit.batch, shuffle=True, seed=fit.seed, answers=answers),
            _loader(validation, 512, shuffle=False),
        )
    if options.resume:
        learner.load_state_dict(checkpoint_of(options.out, "last")["state_dict"])
    device = torch.device("cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu")
    with disk_errors(options.out), interruptions():
        features = FrozenFeatures(learner, dataset, options.out, device=device, bfloat16=bfloat16)
    return (
        feature_loader(train, features.views, batch=fit.batch, shuffle=True, seed=fit.seed, answers=answers),
        feature_loader(validation, (features.validation,), batch=512, shuffle=False),
    )


def _loader(
    dataset: Dataset, batch: int, *, shuffle: bool, seed: int = 0, answers: NDArray[np.float32] | None = None
) -> DataLoader[Any]:
    positions = BatchPositions(len(dataset), batch, shuffle=shuffle, seed=seed)
    return DataLoader(TensorBatches(dataset, answers), sampler=positions, batch_size=None)


def _loggers(out: Path) -> list[Logger]:
    curves = CSVLogger(out, name="", version="curves")
    file = out / "curves" / "metrics.csv"
    earlier = file.read_bytes() if file.is_file() else b""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Previous log files in this directory will be deleted.*")
        writer = curves.experiment
    if earlier:  # Lightning starts a new file for a resumed run; earlier epochs are put back
        file.write_bytes(earlier)
        writer.metrics_keys = earlier.decode().splitlines()[0].split(",")
    return [curves, TensorBoardLogger(out, name="", version="tensorboard")]
