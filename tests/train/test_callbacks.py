from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lightning import Trainer

from mien.train.callbacks import ImagesBar, figures_in_words
from mien.words import choose

FIGURES = {"val_loss": 1.5, "lr": 0.01, "train_accuracy": 0.66124, "val_macro_f1": None}


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "training accuracy 0.6612, validation loss 1.5000"),
        ("zh", "训练准确率 0.6612、验证损失 1.5000"),
    ],
)
def test_figures_of_an_epoch_in_words(language: str, told: str) -> None:
    choose(language)
    assert figures_in_words(FIGURES) == told
    assert figures_in_words({}) == ""


@pytest.mark.parametrize(
    ("language", "epoch", "validation"), [("en", "epoch 3 of 9", "validation"), ("zh", "第 3 轮，共 9 轮", "验证")]
)
def test_the_bar_says_the_epoch_as_other_lines_do(
    language: str, epoch: str, validation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(language)
    screen = io.StringIO()
    monkeypatch.setattr("sys.stdout", screen)
    trainer = cast(
        Trainer,
        SimpleNamespace(
            current_epoch=2,
            max_epochs=9,
            num_training_batches=4,
            num_val_batches=[1],
            sanity_checking=False,
            is_global_zero=True,
            state=SimpleNamespace(fn="fit"),
            progress_bar_metrics={"val_accuracy": 0.5, "v_num": 0},
            callback_metrics={},
            loggers=[],
        ),
    )
    bar = ImagesBar(batch=32)
    bar.setup(trainer, cast(Any, None), "fit")
    bar.on_train_start(trainer, None)
    bar.on_train_epoch_start(trainer, None)
    bar.on_validation_start(trainer, cast(Any, None))
    bar.on_validation_batch_start(trainer, cast(Any, None), None, 0)
    bar.on_validation_end(trainer, cast(Any, None))
    bar.on_train_end(trainer, None)
    shown = screen.getvalue()
    assert epoch in shown
    assert re.search(rf"{validation}:", shown)
    assert "Epoch" not in shown
    assert "Validation" not in shown
    assert "v_num" not in shown
    assert "val_accuracy" not in shown
