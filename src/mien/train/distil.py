"""Learning from other models: their answers to the training samples become part of the target."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.evaluation.evaluated_model import kind_of, open_model
from mien.files.whole import write_whole
from mien.stages.classify import softmax
from mien.train.runs import open_run

_ANSWERS_FILE = "teachers.npy"


def soft_targets(train: Dataset, teachers: tuple[str, ...], *, bfloat16: bool = False) -> NDArray[np.float32]:
    """The teachers' probabilities for each sample, averaged (Hinton et al. 2015, "Distilling the knowledge").

    Each teacher sees every image unaugmented and, if mirroring keeps the labels, mirrored too.

    Args:
        train: the samples.
        teachers: run folders, model folders or models in the package, with the labels of `train`.
        bfloat16: whether run folders compute in bfloat16, as in training.

    Returns:
        (N, L) float32, rows sum to 1.

    Raises:
        DataError: a teacher has other labels, or is a file of predictions.
        InputError, UnknownName, ModelError: a teacher cannot be used.
    """
    views = [train.samples]
    if train.label_set.mirror_safe and train.samples.dtype == np.uint8:
        views.append(np.ascontiguousarray(train.samples[:, :, ::-1]))
    total = np.zeros((len(train), len(train.label_set)), np.float64)
    for name in teachers:
        kind = kind_of(name)
        if kind == "predictions":
            raise DataError(f"A teacher must be a run folder or a model, but {name} is a file of predictions")
        with open_run(Path(name), bfloat16=bfloat16) if kind == "run" else open_model(name) as teacher:
            if teacher.labels != train.label_set.labels:
                raise DataError(
                    f"The teacher {name} answers with {', '.join(teacher.labels)}; "
                    f"the recipe has {', '.join(train.label_set.labels)}"
                )
            total += sum(softmax(teacher.logits(view)) for view in views)
    return np.asarray(total / (len(teachers) * len(views)), np.float32)


def keep_answers(run: Path, answers: NDArray[np.float32]) -> None:
    """Save the answers of `soft_targets` in a run folder, because computing them takes minutes; raises OutputError."""
    file = io.BytesIO()
    np.save(file, answers)
    write_whole(run / _ANSWERS_FILE, file.getvalue())


def kept_answers(run: Path, train: Dataset) -> NDArray[np.float32] | None:
    """The answers that `keep_answers` saved for these samples; None if there are none or they are unreadable."""
    try:
        answers = np.load(run / _ANSWERS_FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return np.asarray(answers, np.float32) if answers.shape == (len(train), len(train.label_set)) else None
