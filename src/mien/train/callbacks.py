"""What happens around the training steps: log lines, the progress bar, a sample batch, a stop at invalid losses."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.loggers import TensorBoardLogger

from mien.errors import TrainingStopped
from mien.train.learner import Learner
from mien.words import listed, say, words

_SHOWN = 32

logger = logging.getLogger(__name__)


def figures_in_words(figures: Mapping[str, float | None]) -> str:
    """The figures of an epoch, without the learning rate: "training accuracy 0.6612, training loss 0.9210"."""
    known = sorted((name, value) for name, value in figures.items() if value is not None and name != "lr")
    return listed(f"{words().label('train.figure', name)} {value:.4f}" for name, value in known)


class MovedRun(Callback):
    """Lets a run go on in a folder of another name or place with the best epoch that it knows.

    A checkpoint states where its run was. Lightning forgets the best score of a run that has moved, and the next epoch,
    however bad, would take the place of the best one.
    """

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Where the checkpoints are now, before the callbacks are told where they were."""
        del pl_module
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint.get("callbacks", {}).get(callback.state_key)
            if isinstance(callback, ModelCheckpoint) and state and callback.dirpath is not None:
                _move(state, Path(callback.dirpath))


def _move(state: dict[str, Any], folder: Path) -> None:
    """Change what a `ModelCheckpoint` stores to another folder, unless the files it names are not there."""

    def moved(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    kept = {moved(path): score for path, score in state["best_k_models"].items()}
    if all(Path(path).is_file() for path in kept):
        names = ("best_model_path", "kth_best_model_path", "last_model_path")
        state |= {name: moved(state[name]) for name in names} | {"best_k_models": kept, "dirpath": str(folder)}


class EpochLines(Callback):
    """One log line per epoch, so that a run without a terminal can be followed; includes the time of earlier starts.

    It says so when the network gives every validation sample the same label: it has learned nothing yet, or no more.
    `earlier_s` is how long the epochs took before the checkpoint from which a run resumes.
    """

    def __init__(self) -> None:
        self.earlier_s = 0.0
        self._taken_s = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        return {"seconds": self.earlier_s + self._taken_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.earlier_s = float(state_dict["seconds"])

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        del trainer, pl_module
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        seconds = time.monotonic() - self._started
        self._taken_s += seconds
        if not trainer.is_global_zero:
            return
        metrics = figures_in_words({name: float(value) for name, value in trainer.callback_metrics.items()})
        given = pl_module.only_answer if isinstance(pl_module, Learner) else ""
        told = {"number": trainer.current_epoch + 1, "epochs": trainer.max_epochs, "figures": metrics}
        if given:
            logger.info("%s", say("train.epoch_stuck", **told, seconds=seconds, label=given))
        else:
            logger.info("%s", say("train.epoch", **told, seconds=seconds))


class ImagesBar(TQDMProgressBar):
    """Lightning's bar in words, counted in samples: samples per second and the remaining time of the epoch.

    Args:
        batch: samples per step, over all devices.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def init_train_tqdm(self) -> Tqdm:
        """The bar of an epoch."""
        bar = super().init_train_tqdm()
        bar.unit, bar.unit_scale = say("train.samples_unit"), self.batch
        return bar

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """The text after the bar."""
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        return {words().label("train.figure", name): value for name, value in items.items()}

    @property
    def train_description(self) -> str:
        """What the bar is called before the first epoch."""
        return ""

    @property
    def validation_description(self) -> str:
        """What the bar of the validation is called."""
        return say("train.bar_validation")

    def on_train_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Begin the bar anew, with the epoch counted from 1, as in other lines; Lightning's says "Epoch 0"."""
        _begin(self.train_progress_bar, self.total_train_batches)
        told = say("train.bar", number=trainer.current_epoch + 1, epochs=trainer.max_epochs)
        self.train_progress_bar.set_description(told)

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Begin the bar with the first batch; Lightning's says "DataLoader 0"."""
        del trainer, pl_module, batch, batch_idx
        if self.has_dataloader_changed(dataloader_idx):
            _begin(self.val_progress_bar, self.total_val_batches_current_dataloader)
            self.val_progress_bar.set_description(self.validation_description)


def _begin(bar: Any, total: float) -> None:
    bar.reset(total)
    bar.initial = 0


class SampleBatch(Callback):
    """The first batch of a run as the network sees it, augmented, as a picture in TensorBoard."""

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step or batch_idx or not isinstance(pl_module, Learner):
            return
        if not pl_module.is_image or pl_module.takes_features:
            return
        # The step draws its random numbers from its own seed, so looking does not change the run.
        fed = pl_module.as_trained(batch[0][:_SHOWN]).float() * pl_module.std + pl_module.mean
        for board in trainer.loggers:
            if isinstance(board, TensorBoardLogger):
                board.experiment.add_images("first_batch", fed.clamp(0, 1).cpu())


class StopAtNonsense(Callback):
    """Ends a run whose loss is no longer a number; earlier checkpoints stay.

    Raises:
        TrainingStopped: naming the epoch and the batch.
    """

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        del pl_module, batch
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if not bool(torch.isfinite(loss)):
            raise TrainingStopped(
                f"The loss became {float(loss)} in epoch {trainer.current_epoch + 1}, batch {batch_idx + 1}; the "
                "checkpoints of earlier epochs are kept. Try a lower fit.rate, or fit.precision=32-true"
            )
