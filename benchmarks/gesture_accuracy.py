"""Accuracy of a gesture recipe on people it has never seen, and of a shipped model on the pictures held back from it.

    python benchmarks/gesture_accuracy.py GESTURES_FOLDER [--recipe gesture_landmark] [--limit 200] [--cache DIR]
    python benchmarks/gesture_accuracy.py GESTURES_FOLDER --model gesture_landmark

Without --model each data set in turn is left out of training and tested. Every picture of it is looked at as at run
time: pictures of a hand as by `mien classify gesture`, the recipe's whole frames as by `mien look`; then a network
reads the landmarks that was trained as the recipe says on the other sets. A gesture counts as recognised when it is the
answer and the answer is not uncertain; a picture in which no hand is found is a miss. `none` counts as recognised when
the answer is `none` or uncertain, or when no hand is found. Fists other than A (letters E, M, N, S, T) are in neither,
nor are other letters that the recipe leaves out. "Best answer" is the likeliest, however unsure; a hand not found is
wrong too. "Seeds" are loser, punch, super and victory.

The recipe's crowds, if they are in the folder, are trained on in every test but for the fifth of each that is held
back: pictures whose name without its ending has a CRC-32 that leaves 4 when divided by 5. With --parts N the first N of
the other four fifths are left out in turn too, and the temperature is fitted on these answers and those to the left-out
sets, which also tell where the threshold should be: the held-back fifth has no part in any choice.

With --model the held-back fifth is read by that model through `mien.CropReader`, which is what `mien classify gesture`
does, each picture with a border of a quarter of its longer side. --scores adds the figures to a JSON file, for `mien
export --scores`.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mien.data.hands import HELD_BACK, bordered
from mien.evaluation.calibration import fitted_temperature
from mien.evaluation.manifest_scores import CERTAIN, COVERAGE
from mien.evaluation.metrics import precise_threshold
from mien.labels import GESTURES_4, NOTHING, LabelSet, label_set
from mien.pipeline import CropReader, Options
from mien.pixels.images import read_image
from mien.recipes.recipe import load_recipe
from mien.stages.classify import softmax
from mien.stages.hands import HandDetector
from mien.train.corpus import enlarged, recipe_copies, recipe_hands, recipe_pictures
from mien.train.fit import RunOptions, fit
from mien.train.runs import trained_network

COMMAND = "python benchmarks/gesture_accuracy.py GESTURES_FOLDER"
NEIGHBOURS = ("none", "four", "three", "three2", "two_up")
"""Folders of a crowd that show hands which are no gesture."""


@dataclass(frozen=True)
class Answers:
    """What was answered to N pictures.

    collection, folder: (N,) names. truth: (N,) positions in the labels. probabilities: (N, L).
    """

    labels: LabelSet
    collection: NDArray[np.str_]
    folder: NDArray[np.str_]
    truth: NDArray[np.int64]
    found: NDArray[np.bool_]
    probabilities: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        parts = (self.collection, self.folder, self.truth, self.found, self.probabilities)
        return Answers(self.labels, *(part[chosen] for part in parts))

    @property
    def best(self) -> NDArray[np.bool_]:
        return self.probabilities.argmax(axis=1) == self.truth

    @property
    def is_none(self) -> NDArray[np.bool_]:
        return self.truth == self.labels.index(NOTHING)

    @property
    def is_seed(self) -> NDArray[np.bool_]:
        return np.isin(self.truth, [self.labels.index(name) for name in GESTURES_4.labels])

    def sure(self, threshold: float) -> NDArray[np.bool_]:
        return self.probabilities.max(axis=1) >= threshold

    def right(self, threshold: float) -> NDArray[np.bool_]:
        """Gestures that are the sure answer; other hands that are left alone."""
        left_alone = (self.probabilities.argmax(axis=1) == self.labels.index(NOTHING)) | ~self.sure(threshold)
        return np.where(self.is_none, left_alone, self.best & self.sure(threshold))


def main() -> None:
    arguments = _arguments()
    recipe = load_recipe(arguments.recipe, changes=dict(text.split("=", 1) for text in arguments.set))
    threshold = recipe.export.threshold if arguments.threshold is None else arguments.threshold
    if arguments.model:
        answers, used = _read_by(arguments.model, recipe_pictures(recipe, arguments.folder), arguments.threshold)
        _print_crowd(answers, used)
        _add_scores(arguments.scores, _crowd_scores(answers, used))
        return
    letters, crowd = _left_out(recipe, arguments)
    parts = [letters, crowd] if crowd is not None else [letters]
    logits, truth = (np.concatenate([getattr(part, name)[part.found] for part in parts])
                     for name in ("probabilities", "truth"))  # fmt: skip
    temperature = fitted_temperature(logits, truth)
    letters, crowd = (part and replace(part, probabilities=_softmax(part, temperature)) for part in (letters, crowd))
    _print_letters(letters, threshold)
    _add_scores(arguments.scores, _scores(letters, threshold, arguments.limit))
    fitted_on = "left-out pictures" + ("" if crowd is None else " and the crowds' left-out parts")
    print(f"temperature over all {fitted_on}: {temperature:.3f}; threshold {threshold:g}")
    for t in (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98):
        print(f"threshold {t:g}:", _line(letters, t), "" if crowd is None else _crowd_line(crowd, t))
    if crowd is not None:
        lowest = precise_threshold(crowd.probabilities.max(axis=1), crowd.best, precision=0.99, certainty=0.95)
        print(f"lowest threshold with 99 % right in the left-out parts, 95 % certain: {lowest}")


def _left_out(recipe, arguments) -> tuple[Answers, Answers | None]:
    """Answers with logits for probabilities: of the left-out sets, and of the crowds' left-out parts, if asked for."""
    labels, crowds = label_set(recipe.label_set), recipe.data.crowds
    chosen = recipe_pictures(recipe, arguments.folder)
    unlimited = replace(recipe, data=replace(recipe.data, limit=arguments.limit))
    pictures = recipe_pictures(unlimited, arguments.folder)
    with HandDetector(threads=1) as detector:
        dataset, found = recipe_hands(recipe, pictures, detector, arguments.cache)
        copies = recipe_copies(recipe, chosen, detector, arguments.cache)
    trained_on = {picture.path for picture in chosen if not picture.group.endswith(HELD_BACK)}
    used = np.array([picture.path in trained_on for picture in pictures])
    collection = np.array([picture.collection for picture in pictures])
    held_back = np.array([picture.group.endswith(HELD_BACK) for picture in pictures])
    group = np.array([picture.group for picture in pictures])
    is_crowd = np.isin(collection, crowds)
    tests = [collection == name for name in sorted(set(collection[~is_crowd]))]
    parts = [name for name in sorted(set(group[is_crowd & ~held_back])) if int(name[-1]) < arguments.parts]
    tests += [group == name for name in parts]
    logits = np.full((len(pictures), len(labels)), np.nan)
    for tested in tests:
        others = used & ~tested
        kept = None if copies is None else copies.where(~np.isin(copies.groups, group[tested]))
        for seed in range(arguments.seeds):
            answers = _trained(recipe, (dataset, kept), others[found], tested[found], seed)
            where = np.flatnonzero(tested & found)
            logits[where] = np.nan_to_num(logits[where]) + answers / arguments.seeds
    logits += np.array(recipe.logit_shift())
    truth = np.array([labels.index(picture.gesture) for picture in pictures])
    folder = np.array([picture.path.parent.name for picture in pictures])
    answers = Answers(labels, collection, folder, truth, found, logits)
    return answers.where(~is_crowd), answers.where(np.isin(group, parts)) if parts else None


def _trained(recipe, data, others, tested, seed) -> NDArray[np.float64]:
    """Logits for the tested samples of a network trained on the others and on copies."""
    dataset, copies = data
    known = dataset.where(tested | others)
    # Who is tested is only watched: the recipe keeps the last weights, whatever they do there.
    split = np.where(others[tested | others], "train", "validation").astype("<U10")
    changed = replace(recipe, fit=replace(recipe.fit, seed=recipe.fit.seed + seed, keep="last"))
    known = replace(known, split=split, groups=np.where(split == "train", known.groups, "tested"))
    known = enlarged(known, copies, changed)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fit(changed, known, RunOptions(out=run, device="cpu", progress=False, threads=1))
        _, network = trained_network(run)
    with torch.inference_mode():
        return network(torch.from_numpy(dataset.samples[tested])).double().numpy()


def _softmax(answers: Answers, temperature: float) -> NDArray[np.float64]:
    """Probabilities for logits; a hand that is not found is surely none."""
    probabilities = np.zeros_like(answers.probabilities)
    probabilities[:, answers.labels.index(NOTHING)] = 1
    probabilities[answers.found] = softmax(answers.probabilities[answers.found] / temperature)
    return probabilities


def _read_by(model, pictures, threshold) -> tuple[Answers, float]:
    """The answers of a model to the held-back fifth, by way of what `mien classify gesture` does, and its threshold."""
    held_back = [picture for picture in pictures if picture.group.endswith(HELD_BACK)]
    with CropReader("gesture", Options(gesture_model=model, gesture_threshold=threshold, threads=2)) as reader:
        labels = reader.labels
        predictions = [reader.read(bordered(read_image(picture.path))) for picture in held_back]
        used = reader.model.threshold
    answers = Answers(
        labels,
        np.array([picture.collection for picture in held_back]),
        np.array([picture.path.parent.name for picture in held_back]),
        np.array([labels.index(picture.gesture) for picture in held_back]),
        np.array([prediction.confidence < 1 for prediction in predictions]),
        np.array([list(prediction.probabilities.values()) for prediction in predictions]),
    )
    return answers, used


def _scores(letters: Answers, threshold: float, limit: int) -> list[dict[str, object]]:
    command = COMMAND + (f" --limit {limit}" if limit else "")
    parts = [("seeds' four gestures recognised", letters.is_seed, threshold)]
    parts += [
        ("none recognised", letters.is_none, threshold),
        ("seeds' four gestures, best answer", letters.is_seed, 0),
    ]
    return [
        {
            "metric": metric,
            "value": round(float(letters.right(least)[mine].mean()), 4),
            "data": name,
            "split": f"at most {limit} of a class, evenly spaced" if limit else "all pictures",
            "protocol": f"{mine.sum()} pictures of a data set left out of training, "
            + (f"threshold {least:g}" if least else "no threshold"),
            "command": command,
        }
        for metric, wanted, least in parts
        for name in sorted(set(letters.collection))
        if (mine := wanted & (letters.collection == name)).any()
    ]


def _add_scores(path: Path | None, scores: list[dict[str, object]]) -> None:
    if path is not None:
        there = json.loads(path.read_text()) if path.is_file() else []
        path.write_text(json.dumps([*there, *scores], indent=2) + "\n")


def _crowd_scores(answers: Answers, threshold: float) -> list[dict[str, object]]:
    every = np.ones(len(answers.truth), bool)
    sure, best = answers.sure(threshold), answers.best
    figures = [
        ("accuracy", every, best, "no threshold"),
        (f"{COVERAGE}{threshold:g}", every, sure, f"threshold {threshold:g}"),
        (f"{CERTAIN}{threshold:g}", sure, best, f"threshold {threshold:g}"),
        ("none recognised", answers.is_none, answers.right(threshold), f"threshold {threshold:g}"),
    ]
    figures += [
        (f"recall_{label}", answers.truth == i, best, "no threshold") for i, label in enumerate(answers.labels.labels)
    ]
    return [
        {
            "metric": metric,
            "value": round(float(right[which].mean()), 4),
            "data": name,
            "split": "held-back fifth",
            "protocol": f"{mine.sum()} pictures held back by their names, {protocol}",
            "command": f"{COMMAND} --model gesture_landmark",
        }
        for name in sorted(set(answers.collection))
        for metric, wanted, right, protocol in figures
        if (which := (mine := answers.collection == name) & wanted).any()
    ]


def _print_crowd(answers: Answers, threshold: float) -> None:
    table = Table(title=f"held-back fifth of crowds, threshold {threshold:g}", box=None)
    for heading in ("", "pictures", "hand found", "best answer right", "sure", "right of the sure", "sure and wrong"):
        table.add_column(heading, justify="right")
    sure, best, truth = answers.sure(threshold), answers.best, answers.truth
    rows = {"all": np.ones(len(truth), bool)}
    rows |= {label: truth == i for i, label in enumerate(answers.labels.labels)}
    rows |= {f"{name}/": answers.folder == name for name in sorted(set(answers.folder))}
    rows["none and its neighbours"] = np.isin(answers.folder, NEIGHBOURS)
    for name, mine in rows.items():
        if mine.any():
            of_sure = f"{best[mine & sure].mean():.1%}" if (mine & sure).any() else "-"
            shares = (f"{share[mine].mean():.1%}" for share in (answers.found, best, sure))
            wrong = (sure & ~best)[mine]
            table.add_row(name, f"{mine.sum()}", *shares, of_sure, f"{wrong.mean():.1%} ({wrong.sum()})")
    Console(width=150).print(table)


def _line(letters: Answers, threshold: float) -> str:
    right, seed = letters.right(threshold), letters.is_seed
    names = sorted(set(letters.collection))
    kept = {name: right[seed & (letters.collection == name)].mean() for name in names}
    nones = [
        right[letters.is_none & (letters.collection == name)].mean()
        for name in sorted(set(letters.collection[letters.is_none]))
    ]
    parts = [f"{name} {share:.3f}" for name, share in kept.items()]
    return " ".join([*parts, f"mean {np.mean(list(kept.values())):.3f} none {np.mean(nones):.3f}"])


def _crowd_line(crowd: Answers, threshold: float) -> str:
    sure, none = crowd.sure(threshold), crowd.is_none
    wrong = (sure & ~crowd.best)[none].mean()
    return f"| crowds: sure {sure.mean():.3f} right {crowd.best[sure].mean():.4f} none sure and wrong {wrong:.4f}"


def _print_letters(letters: Answers, threshold: float) -> None:
    labels = letters.labels.labels
    table = Table(title=f"left-out data sets, threshold {threshold:g}", box=None)
    for heading in ("data set", "pictures", "hand found", "seeds", *labels, "seeds, best answer"):
        table.add_column(heading, justify="right")
    right, best, seed = letters.right(threshold), letters.best, letters.is_seed
    shares: dict[str, list[float]] = {"seeds, uncertain answers wrong": [], "seeds, best answer": [], "none": []}
    for name in sorted(set(letters.collection)):
        mine = letters.collection == name
        each = [mine & (letters.truth == i) for i in range(len(labels))]
        cells = [f"{right[which].mean():.1%}" if which.any() else "-" for which in each]
        four = mine & seed
        table.add_row(
            name,
            f"{mine.sum()}",
            f"{letters.found[four].mean():.1%}",
            f"{right[four].mean():.1%}",
            *cells,
            f"{best[four].mean():.1%}",
        )
        shares["seeds, uncertain answers wrong"].append(right[four].mean())
        shares["seeds, best answer"].append(best[four].mean())
        if (mine & letters.is_none).any():
            shares["none"].append(right[mine & letters.is_none].mean())
    Console(width=190).print(table)
    for what, values in shares.items():
        print(f"{what}, mean over data sets: {np.mean(values):.1%}, least {min(values):.1%}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="gesture_landmark")
    parser.add_argument("--model", help="read the held-back fifth with this model instead of training any")
    parser.add_argument("--limit", type=int, default=0, help="test at most so many pictures of a class and data set")
    parser.add_argument("--parts", type=int, default=0, help="so many parts of the crowds are left out in turn too")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--seeds", type=int, default=1, help="average the logits of so many networks")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--scores", type=Path, help="write the figures as JSON, for `mien export --scores`")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    logging.getLogger("mien").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    return arguments


if __name__ == "__main__":
    main()
