"""The networks of a flagship run, and what is told and kept of them once they are trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.files.whole import write_whole
from mien.recipes.saved import RECIPE_FILE, SUMMARY_FILE, RunSummary
from mien.stages.classify import softmax
from mien.train.runs import checkpoint_of
from mien.train.start import START_FILE, ended
from mien.wording import markdown_table

ANSWERS_FILE = "answers.npz"
"""In a run's folder: its logits for the training and the PublicTest images, mirrored views averaged."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run: its name, what its recipe changes in `emotion`, and its epochs."""

    name: str
    changes: Mapping[str, str]
    epochs: int = 0


KINDS: dict[str, dict[str, str]] = {
    "plain": {"network.name": '"plain_cnn"', "network.widths": "[64, 128, 256, 512]", "network.blocks": "2"},
    "squeeze": {"network.widths": "[64, 128, 256, 512]", "network.blocks": "2", "network.squeeze": "16"},
    "wide": {"network.widths": "[96, 192, 384]", "network.blocks": "1"},
}
_COMMON = {
    "fit.batch": "256",
    "fit.precision": '"auto"',
    "fit.keep": '"last"',
    "augment.camera": "0.1",
    "loss.balance": "0.25",
}


def teachers() -> tuple[Planned, ...]:
    """In the order in which they are trained: the first few already differ in network, mixup and seed."""
    order = [
        ("plain", True, 1), ("squeeze", False, 2), ("wide", True, 3), ("squeeze", True, 1), ("plain", False, 2),
        ("wide", False, 1), ("squeeze", True, 3), ("plain", True, 3), ("wide", True, 2),
    ]  # fmt: skip
    return tuple(
        Planned(
            name=f"{kind}_{'mixup' if mixed else 'unmixed'}_{seed}",
            changes={**_COMMON, **KINDS[kind], "augment.mixup": "0.2" if mixed else "0.0", "fit.seed": str(seed)},
        )
        for kind, mixed, seed in order
    )


def students(names: Sequence[str]) -> tuple[Planned, Planned]:
    """The networks to ship, averaged in one file: taught by all, at most 4 million parameters each, of two forms."""
    changes = {
        **_COMMON,
        "network.blocks": "2",
        "fit.seed": "7",
        "augment.camera": "0.12",
        "loss.teachers": json.dumps([f"recipe:{name}" for name in names]),
        "loss.teacher_weight": "0.7",
        "export.weights": '"int8"',
        "export.calibration": '"vector"',
    }
    other = {**changes, "network.squeeze": "8", "fit.seed": "8"}
    return Planned(name="student_1", changes=changes), Planned(name="student_2", changes=other)


def keep_answers(run: Path, logits: Callable[[NDArray[np.uint8]], NDArray[np.floating[Any]]], dataset: Dataset) -> None:
    """Write a network's answers beside it."""
    answers = {part: flip_averaged(logits, dataset.part(part)) for part in ("train", "validation")}
    with (run / ANSWERS_FILE).open("xb") as file:
        np.savez(file, allow_pickle=False, **{part: value.astype(np.float16) for part, value in answers.items()})


def report(out: Path, dataset: Dataset) -> str:
    """A table of what is there, also written to teachers.md: accuracies on PublicTest, mirrored views averaged."""
    truth = dataset.part("validation").labels
    rows, together = [], []
    for run in finished_runs(out):
        summary = ended(run) or RunSummary()
        answers = np.load(run / ANSWERS_FILE)["validation"].astype(np.float32)
        is_teacher = not run.name.startswith("student")
        if is_teacher:
            together.append(softmax(answers))
        rows.append(
            (
                run.name,
                f"{summary.parameters or 0:,}",
                str(summary.epochs),
                f"{summary.seconds or 0:.0f}",
                _percent((answers.argmax(axis=1) == truth).mean()),
                _percent((np.mean(together, axis=0).argmax(axis=1) == truth).mean()) if is_teacher else "",
            )
        )
    titles = ("run", "parameters", "epochs", "seconds", "PublicTest", "all teachers so far")
    table = markdown_table(titles, rows)
    write_whole(out / "teachers.md", table.encode())
    return table


def results(out: Path, folder: Path) -> None:
    """Small files to take along: the table, all answers, and each student's run without its optimiser."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = list(finished_runs(out))
    together = {f"{run.name}_{part}": value for run in runs for part, value in np.load(run / ANSWERS_FILE).items()}
    with (folder / ANSWERS_FILE).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **together)
    write_whole(folder / "teachers.md", (out / "teachers.md").read_bytes())
    for run in runs:
        told = {name: json.loads((run / name).read_bytes()) for name in (RECIPE_FILE, SUMMARY_FILE, START_FILE)}
        write_whole(folder / f"{run.name}.json", f"{json.dumps(told, indent=2)}\n".encode())
        if run.name.startswith("student"):
            stored = checkpoint_of(run, "last")
            kept = {key: stored[key] for key in ("state_dict", "epoch", "global_step", "pytorch-lightning_version")}
            torch.save(kept, folder / f"{run.name}.ckpt")


def unpack_results(folder: Path, out: Path) -> list[Path]:
    """Make run folders of the students again from the small files that `results` wrote."""
    runs = []
    for checkpoint in sorted(folder.glob("student*.ckpt")):
        run = out / checkpoint.stem
        (run / "checkpoints").mkdir(parents=True)
        for name, told in json.loads((folder / f"{run.name}.json").read_bytes()).items():
            write_whole(run / name, f"{json.dumps(told, indent=2)}\n".encode())
        write_whole(run / "checkpoints" / "last.ckpt", checkpoint.read_bytes())
        runs.append(run)
    return runs


def finished_runs(out: Path) -> Iterator[Path]:
    """The runs of a folder in the order in which they ended."""
    for answers in sorted(out.glob(f"*/{ANSWERS_FILE}"), key=lambda path: path.stat().st_mtime):
        if (answers.parent / SUMMARY_FILE).is_file():
            yield answers.parent


def flip_averaged(
    logits: Callable[[NDArray[np.uint8]], NDArray[np.floating[Any]]], part: Dataset
) -> NDArray[np.float32]:
    """Mean logits of the images and their mirror images: (N, L) float32."""
    mirrored = np.ascontiguousarray(part.samples[:, :, ::-1])
    return np.asarray((logits(part.samples) + logits(mirrored)) / 2, np.float32)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
