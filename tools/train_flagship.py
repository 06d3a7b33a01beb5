"""Train diverse teachers for the expression model in a given time, then two small networks on their averaged answers.

    python tools/train_flagship.py --data fer2013.npz --minutes 9 --device cuda --out teachers
    python tools/train_flagship.py --data fer2013.npz --minutes 600 --out teachers      # on processors; resumes

All networks see the cleaned training images; nothing is chosen on anything but PublicTest, and PrivateTest is not
read. Each run is a folder of its own under --out, as `mien train` leaves it: `mien evaluate`, `mien compare` and
`mien export` take it; an export of one student with the other as its partner (`export.partners`) is the model to ship.

On an accelerator (or with --views) all networks learn from one pool of augmented views (`flagship_views`), each for its
share of the minutes; --ferplus adds a network for the labels of FER+ from each student, and --answers lets
teachers learn from answers of earlier models too. On processors the plan (which networks, how many epochs each) is made
from the measured speed of each kind of network, kept in plan.json, and followed by later calls. teachers.md has a
table; results/ has small files to take along: the students' weights, and the answers of each network to the training
and PublicTest images.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from arguments import changes_of, check_device, minutes, run_tool
from flagship_plan import ANSWERS_FILE, KINDS, Planned, keep_answers, report, results, students, teachers
from flagship_views import Pool, answers_to_views, drawn_views, fit_views, logits_of

from mien.files.whole import write_whole
from mien.recipes.recipe import Recipe, changed_recipe, load_recipe
from mien.train.corpus import CorpusPaths, load_corpus
from mien.train.fit import RunOptions, fit
from mien.train.learner import Learner
from mien.train.networks.network import Network
from mien.train.runs import open_run
from mien.train.start import ended

LEAST_TEACHERS = 4
LEAST_EPOCHS, MOST_EPOCHS = 30, 60
STUDENT_SHARE = 0.3
"""Of the time, for the students."""

SPARE = 0.9
"""Of the time that is planned; the rest is for loading, validation and answers."""

TEACHERS_ON_VIEWS = 6
VIEWS, ANSWERED_VIEWS = 48, 24
VIEWS_SHARE, FERPLUS_SHARE, RESULTS_SHARE = 0.08, 0.06, 0.03
_ON_VIEWS = {
    "augment.rotation": "12.0",
    "augment.zoom": "0.12",
    "augment.shift": "0.1",
    "augment.erasing": "0.15",
    "augment.camera": "0.1",
    "fit.batch": "256",
    "fit.rate": "0.15",
    "fit.warm_up": "0.15",
    "loss.label_smoothing": "0.05",
}
_TEACHER_ON_VIEWS = {"fit.sizes": "[[32, 0.35], [40, 0.25], [48, 0.4]]", "network.dropout": "0.3"}
_STUDENT_ON_VIEWS = {"fit.sizes": "[[32, 0.25], [40, 0.2], [48, 0.55]]", "augment.mixup": "0.1"}

logger = logging.getLogger("mien.flagship")


def main() -> None:
    """Plan, train, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FER2013, packed with the FER+ votes")
    parser.add_argument("--minutes", type=minutes, required=True, help="no run begins that would end later")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, help="folder of the small files; by default results in --out")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--views", type=int, default=-1, help=f"in the pool; 0 for none ({VIEWS} on an accelerator)")
    parser.add_argument("--ferplus", type=Path, help="FER2013 with the labels of FER+, packed; with views only")
    parser.add_argument("--answers", type=Path, help="(N, 7) answers of earlier models to the training images, .npy")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a change to every recipe")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    began = time.monotonic()
    changes = changes_of(parser, options.set)
    check_device(parser, options.device)
    on_cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    views = (VIEWS if on_cuda else 0) if options.views < 0 else options.views
    kept = options.results or options.out / "results"
    if views:
        torch.backends.cudnn.benchmark = True
        device = torch.device("cuda" if on_cuda else "cpu")
        flagship = FlagshipOnViews(options.out, options.data, changes, device=device, began=began)
        flagship.carry_out(
            60 * options.minutes, views=views, ferplus=options.ferplus, earlier=options.answers, kept=kept
        )
    else:
        Flagship(options.out, options.data, changes, device=options.device, threads=options.threads).carry_out(
            60 * options.minutes, kept=kept
        )


class FlagshipOnViews:
    """All runs on one pool of views, in one go.

    Args:
        out: the folder, new.
        data: the data set.
        changes: to every recipe.
        device: that holds the pool and trains.
        began: `time.monotonic()` from which the seconds count.
    """

    def __init__(
        self, out: Path, data: Path, changes: Mapping[str, str], *, device: torch.device, began: float
    ) -> None:
        self.out, self.changes, self.device, self.began = out, dict(changes), device, began
        self.dataset = load_corpus(self._recipe("emotion", {}), CorpusPaths(data=data))

    def carry_out(self, seconds: float, *, views: int, ferplus: Path | None, earlier: Path | None, kept: Path) -> None:
        """Draw views, train teachers, students and, with `ferplus`, a network of other labels from each student.

        Args:
            seconds: for all, from `began`.
            views: in the pool, where there is time.
            ferplus: a data set with the labels of FER+.
            earlier: a file of (N, L) answers, rows sum to 1, that take a third of the teachers' targets.
            kept: folder for the small files.
        """
        base = self._recipe("emotion", {**_ON_VIEWS, "augment.flip": "false"})
        train = self.dataset.part("train")
        drawn = drawn_views(base, train, views, device=self.device, seconds=VIEWS_SHARE * seconds)
        pool = Pool(dataset=self.dataset, views=drawn)
        share = 1 - STUDENT_SHARE - RESULTS_SHARE - (FERPLUS_SHARE if ferplus else 0)
        told = {}
        if earlier is not None:
            answers = torch.from_numpy(np.asarray(np.load(earlier), np.float32)).to(self.device)
            pool = replace(pool, answers=answers)
            told = {"loss.teachers": '["emotion_residual"]', "loss.teacher_weight": "0.33"}
        chosen = teachers()[:TEACHERS_ON_VIEWS]
        total = torch.zeros(())
        for number, planned in enumerate(chosen):
            left = (share * seconds - self._spent()) / (len(chosen) - number)
            changes = {**planned.changes, **_ON_VIEWS, **_TEACHER_ON_VIEWS, **told}
            recipe = self._recipe("emotion", {**changes, "name": planned.name})
            network = fit_views(recipe, pool, self.out / planned.name, seconds=0.9 * left)
            self._keep(network, recipe, self.out / planned.name)
            total = answers_to_views(network, recipe, pool, ANSWERED_VIEWS) + total.to(self.device)
            self._tidy()
        pool = replace(pool, answers=total / len(chosen))
        trained: list[tuple[Recipe, Network]] = []
        pupils = students([planned.name for planned in chosen])
        until = share + STUDENT_SHARE
        for number, planned in enumerate(pupils):
            left = (until * seconds - self._spent()) / (len(pupils) - number)
            changes = {**planned.changes, **_ON_VIEWS, **_STUDENT_ON_VIEWS}
            recipe = self._recipe("emotion", {**changes, "name": planned.name})
            network = fit_views(recipe, pool, self.out / planned.name, seconds=left)
            self._keep(network, recipe, self.out / planned.name)
            trained.append((recipe, network))
            self._tidy()
        self._tell_together(trained)
        results(self.out, kept)
        if ferplus is None:
            return
        del pool, total
        self._tidy()
        self._with_ferplus(ferplus, trained, seconds=(until + FERPLUS_SHARE) * seconds)
        results(self.out, kept)

    def _with_ferplus(self, data: Path, trained: list[tuple[Recipe, Network]], *, seconds: float) -> None:
        """From each student a network for the labels of FER+."""
        base = self._recipe("emotion_ferplus", {})
        dataset = load_corpus(base, CorpusPaths(data=data))
        light = changed_recipe(base, {"augment.flip": "false"})
        left = seconds - self._spent()
        drawn = drawn_views(light, dataset.part("train"), 16, device=self.device, seconds=left / 4)
        pool = Pool(dataset=dataset, views=drawn)
        for number, (before, _) in enumerate(trained):
            left = (seconds - self._spent()) / (len(trained) - number)
            name = f"{before.name}_ferplus"
            changes = {
                "name": name, "fit.batch": "256", "fit.rate": "0.04", "fit.sizes": "[]",
                "network.squeeze": str(before.network.squeeze), "network.weights": json.dumps(f"recipe:{before.name}"),
            }  # fmt: skip
            recipe = self._recipe("emotion_ferplus", changes)
            new = fit_views(recipe, pool, self.out / name, seconds=left, start=self.out / before.name)
            learner = Learner(recipe, [1] * 8).to(self.device)
            keep_answers(self.out / name, lambda x: logits_of(new, learner, x, self.device), dataset)  # noqa: B023
            self._tidy()

    def _keep(self, network: Network, recipe: Recipe, run: Path) -> None:
        learner = Learner(recipe, [1] * 7).to(self.device)
        keep_answers(run, lambda samples: logits_of(network, learner, samples, self.device), self.dataset)
        logger.info("%s(%.0f s)", report(self.out, self.dataset), self._spent())

    def _tell_together(self, trained: list[tuple[Recipe, Network]]) -> None:
        """What the students answer together: each one view, or both views of both."""
        part = self.dataset.part("validation")
        mirrored = np.ascontiguousarray(part.samples[:, :, ::-1])
        seen = []
        for recipe, network in trained:
            learner = Learner(recipe, [1] * 7).to(self.device)
            seen.append([logits_of(network, learner, views, self.device) for views in (part.samples, mirrored)])
        (first, first_mirrored), (second, second_mirrored) = seen
        together = {
            "in turn": first + second_mirrored,
            "in turn, the other way": second + first_mirrored,
            "both views of both": first + first_mirrored + second + second_mirrored,
        }
        for name, logits in together.items():
            logger.info("students %s: %.2f %%", name, 100 * (logits.argmax(axis=1) == part.labels).mean())

    def _recipe(self, name: str, changes: Mapping[str, str]) -> Recipe:
        quoted = {key: json.dumps(value) if key == "name" else value for key, value in changes.items()}
        return changed_recipe(load_recipe(name, changes=quoted), self.changes)

    def _spent(self) -> float:
        return time.monotonic() - self.began

    def _tidy(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


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

    def carry_out(self, seconds: float, *, kept: Path) -> None:
        """Train what there is time for, report, and keep small files in a folder."""
        started = time.monotonic()
        for planned in self.plan(seconds):
            left = seconds - (time.monotonic() - started)
            if not self.is_finished(planned) and self.estimate_s(planned) > left:
                needs = self.estimate_s(planned)
                logger.info("%s needs %.0f s and %.0f are left; call again to go on", planned.name, needs, left)
                break
            self.train(planned)
            logger.info("%s", report(self.out, self.dataset))
        if (self.out / "teachers.md").is_file():
            results(self.out, kept)

    def plan(self, seconds: float) -> tuple[Planned, ...]:
        """The runs in their order; made once, then read back."""
        path = self.out / "plan.json"
        if path.is_file():
            kept = json.loads(path.read_text("utf-8"))
            self._epoch_s = kept["epoch_s"]
            return tuple(Planned(**run) for run in kept["runs"])
        candidates = teachers()
        for planned in (*candidates[: len(KINDS)], students([candidates[0].name])[0]):
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
        pupils = students([planned.name for planned in chosen])
        epochs = int(SPARE * STUDENT_SHARE * seconds / len(pupils) / self._epoch_s["student"])
        runs = (*chosen, *(replace(pupil, epochs=min(max(epochs, 1), 2 * MOST_EPOCHS)) for pupil in pupils))
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
        if not (run / ANSWERS_FILE).is_file():
            with open_run(run, device=self.device, bfloat16=False) as model:
                keep_answers(run, model.logits, self.dataset)

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


def _kind(planned: Planned) -> str:
    return planned.name.partition("_")[0]


if __name__ == "__main__":
    run_tool(main)
