"""Train diverse teachers for the expression model in a given time, then a small network on their averaged answers.

    python tools/train_flagship.py --data fer2013.npz --minutes 9 --device cuda --out teachers
    python tools/train_flagship.py --data fer2013.npz --minutes 600 --out teachers      # on processors; resumes

All networks see the cleaned training images; nothing is chosen on anything but PublicTest, and PrivateTest is not
read. Each run is a folder of its own under --out, as `mien train` leaves it: `mien evaluate`, `mien compare` and
`mien export` take it. The plan (which networks, how many epochs each) is made from the measured speed of each kind of
network, kept in plan.json, and followed by later calls. teachers.md has a table; results/ has small files to take
along: the last network's weights, and the answers of each teacher to the training and PublicTest images.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.files.whole import write_whole
from mien.recipes.recipe import Recipe, changed_recipe, load_recipe
from mien.recipes.saved import RECIPE_FILE, SUMMARY_FILE, RunSummary
from mien.stages.classify import softmax
from mien.train.corpus import CorpusPaths, load_corpus
from mien.train.fit import RunOptions, fit
from mien.train.runs import checkpoint_of, open_run
from mien.train.start import START_FILE, ended
from mien.wording import markdown_table

LEAST_TEACHERS = 4
LEAST_EPOCHS, MOST_EPOCHS = 30, 60
STUDENT_SHARE = 0.3
"""Of the time, for the student."""

SPARE = 0.9
"""Of the time that is planned; the rest is for loading, validation and answers."""

logger = logging.getLogger("mien.flagship")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run: its name, what its recipe changes in `emotion`, and its epochs."""

    name: str
    changes: Mapping[str, str]
    epochs: int = 0


_KINDS: dict[str, dict[str, str]] = {
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
            changes={**_COMMON, **_KINDS[kind], "augment.mixup": "0.2" if mixed else "0.0", "fit.seed": str(seed)},
        )
        for kind, mixed, seed in order
    )


def student(names: Sequence[str]) -> Planned:
    """The network to ship: taught by all, at most 4 million parameters."""
    return Planned(
        name="student",
        changes={
            **_COMMON,
            "network.blocks": "2",
            "network.squeeze": "8",
            "fit.batch": "128",
            "fit.seed": "7",
            "augment.camera": "0.12",
            "loss.teachers": json.dumps([f"recipe:{name}" for name in names]),
            "loss.teacher_weight": "0.7",
            "export.weights": '"int8"',
            "export.calibration": '"vector"',
        },
    )


def main() -> None:
    """Plan, train, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FER2013, packed with the FER+ votes")
    parser.add_argument("--minutes", type=float, required=True, help="no run begins that would end later")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a change to every recipe")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    started = time.monotonic()
    changes = dict(text.split("=", 1) for text in options.set)
    flagship = Flagship(options.out, options.data, changes, device=options.device, threads=options.threads)
    for planned in flagship.plan(60 * options.minutes):
        left = 60 * options.minutes - (time.monotonic() - started)
        if not flagship.is_finished(planned) and flagship.estimate_s(planned) > left:
            needs = flagship.estimate_s(planned)
            logger.info("%s needs %.0f s and %.0f are left; call again to go on", planned.name, needs, left)
            break
        flagship.train(planned)
        logger.info("%s", flagship.report())
    flagship.results()


class Flagship:
    """The runs of a folder.

    Args:
        out: the folder.
        data: the data set.
        changes: to every recipe.
        device: auto, cpu or cuda.
        threads: of torch; 0 leaves its choice.
    """

    def __init__(self, out: Path, data: Path, changes: Mapping[str, str], *, device: str, threads: int) -> None:
        self.out, self.changes, self.device, self.threads = out, dict(changes), device, threads
        self.dataset = load_corpus(load_recipe("emotion", changes=self.changes), CorpusPaths(data=data))
        self._epoch_s: dict[str, float] = {}

    def plan(self, seconds: float) -> tuple[Planned, ...]:
        """The runs in their order; made once, then read back."""
        path = self.out / "plan.json"
        if path.is_file():
            kept = json.loads(path.read_text("utf-8"))
            self._epoch_s = kept["epoch_s"]
            return tuple(Planned(**run) for run in kept["runs"])
        candidates = teachers()
        for planned in (*candidates[: len(_KINDS)], student([candidates[0].name])):
            self._epoch_s[_kind(planned)] = self._measured_epoch_s(planned)
            logger.info("an epoch of %s: %.1f s", _kind(planned), self._epoch_s[_kind(planned)])
        budget = SPARE * (1 - STUDENT_SHARE) * seconds
        number, epochs = LEAST_TEACHERS, 0
        for number in range(len(candidates), LEAST_TEACHERS - 1, -1):
            epochs = int(budget / sum(self._epoch_s[_kind(planned)] for planned in candidates[:number]))
            if epochs >= LEAST_EPOCHS:
                break
        chosen = [
            Planned(name=planned.name, changes=planned.changes, epochs=min(max(epochs, 1), MOST_EPOCHS))
            for planned in candidates[:number]
        ]
        pupil = student([planned.name for planned in chosen])
        epochs = int(SPARE * STUDENT_SHARE * seconds / self._epoch_s["student"])
        runs = (*chosen, Planned(name=pupil.name, changes=pupil.changes, epochs=min(max(epochs, 1), 2 * MOST_EPOCHS)))
        content = {"epoch_s": self._epoch_s, "runs": [asdict(planned) for planned in runs]}
        write_whole(path, f"{json.dumps(content, indent=2)}\n".encode())
        for planned in runs:
            logger.info("planned: %s, %d epochs, about %.0f s", planned.name, planned.epochs, self.estimate_s(planned))
        return runs

    def estimate_s(self, planned: Planned) -> float:
        """Seconds that a run takes."""
        return planned.epochs * self._epoch_s[_kind(planned)]

    def is_finished(self, planned: Planned) -> bool:
        """Whether a run was carried to its end."""
        return ended(self.out / planned.name) is not None

    def train(self, planned: Planned) -> None:
        """Carry a run to its end, from its last epoch on where it broke off, and keep a teacher's answers."""
        run = self.out / planned.name
        resume = self.is_finished(planned) or (run / "checkpoints" / "last.ckpt").is_file()
        fit(self._recipe(planned, planned.epochs), self.dataset, self._options(run, resume=resume))
        answers = run / "answers.npz"
        if not answers.is_file():
            with open_run(run, device=self.device, bfloat16=False) as model:
                parts = ("train", "validation")
                logits = {part: flip_averaged(model.logits, self.dataset.part(part)) for part in parts}
            with answers.open("xb") as file:
                np.savez(file, allow_pickle=False, **{part: value.astype(np.float16) for part, value in logits.items()})

    def report(self) -> str:
        """A table of what is there, also written to teachers.md: accuracies on PublicTest, mirrored views averaged."""
        truth = self.dataset.part("validation").labels
        rows, together = [], []
        for run in self._runs():
            summary = ended(run) or RunSummary()
            answers = np.load(run / "answers.npz")["validation"].astype(np.float32)
            if run.name != "student":
                together.append(softmax(answers))
            rows.append(
                (
                    run.name,
                    f"{summary.parameters or 0:,}",
                    str(summary.epochs),
                    f"{summary.seconds or 0:.0f}",
                    _percent((answers.argmax(axis=1) == truth).mean()),
                    _percent((np.mean(together, axis=0).argmax(axis=1) == truth).mean()) if together else "",
                )
            )
        titles = ("run", "parameters", "epochs", "seconds", "PublicTest", "all teachers so far")
        table = markdown_table(titles, rows)
        write_whole(self.out / "teachers.md", table.encode())
        return table

    def results(self) -> None:
        """Small files to take along: the answers, and the student's run without its optimiser."""
        folder = self.out / "results"
        names = [run.name for run in self._runs()]
        together = {
            f"{name}_{part}": value
            for name in names
            for part, value in np.load(self.out / name / "answers.npz").items()
        }
        folder.mkdir(exist_ok=True)
        with (folder / "answers.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **together)
        if "student" in names:
            run = self.out / "student"
            stored = checkpoint_of(run, "last")
            kept = {key: stored[key] for key in ("state_dict", "epoch", "global_step", "pytorch-lightning_version")}
            torch.save(kept, folder / "last.ckpt")
            for name in (RECIPE_FILE, SUMMARY_FILE, START_FILE):
                write_whole(folder / name, (run / name).read_bytes())

    def _runs(self) -> Iterator[Path]:
        for run in sorted(self.out.iterdir(), key=lambda path: path.stat().st_mtime):
            if (run / "answers.npz").is_file() and run.name != "results":
                yield run

    def _recipe(self, planned: Planned, epochs: int) -> Recipe:
        recipe = load_recipe("emotion", changes={**planned.changes, "fit.epochs": str(epochs), "name": planned.name})
        return changed_recipe(recipe, self.changes)

    def _options(self, run: Path, *, resume: bool = False) -> RunOptions:
        return RunOptions(out=run, device=self.device, resume=resume, threads=self.threads, progress=False)

    def _measured_epoch_s(self, planned: Planned) -> float:
        """What an epoch takes, from two short ones of different length, so that the start of a run cancels out."""
        train = np.flatnonzero(self.dataset.split == "train")
        recipe = self._recipe(planned, 1)
        recipe = changed_recipe(recipe, {"fit.sizes": "[]", "loss.teachers": "[]"})
        taken = []
        for share in (0.02, 0.1):
            few = np.random.default_rng(0).permutation(train)[: max(int(share * len(train)), 4 * recipe.fit.batch)]
            chosen = np.isin(np.arange(len(self.dataset)), few) | (self.dataset.split == "validation")
            with tempfile.TemporaryDirectory() as folder:
                started = time.monotonic()
                fit(recipe, self.dataset.where(chosen), self._options(Path(folder) / "run"))
                taken.append((len(few), time.monotonic() - started))
        (less, less_s), (more, more_s) = taken
        slope = (more_s - less_s) / (more - less) if more > less else more_s / more
        return max(slope * len(train), 1e-3)


def flip_averaged(logits: Callable[[NDArray[np.uint8]], NDArray[np.float64]], part: Dataset) -> NDArray[np.float32]:
    """Mean logits of the images and their mirror images: (N, L) float32."""
    mirrored = np.ascontiguousarray(part.samples[:, :, ::-1])
    return np.asarray((logits(part.samples) + logits(mirrored)) / 2, np.float32)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _kind(planned: Planned) -> str:
    return planned.name.partition("_")[0]


if __name__ == "__main__":
    main()
