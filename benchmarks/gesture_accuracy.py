"""Accuracy of the gesture recipe on signers it has never seen: each data set in turn is left out and tested.

    python benchmarks/gesture_accuracy.py GESTURES_FOLDER [--recipe gesture] [--limit 0] [--cache DIR]

Every picture of the data set that is left out is looked at as at run time: pictures of a hand as by `mien classify
gesture`, the recipe's whole frames as by `mien look`; then the network reads the landmarks. A gesture counts as
recognised when it is the answer and the answer is not uncertain; a picture in which no hand is found is a miss. `none`
counts as recognised when the answer is `none` or uncertain, or when no hand is found. Fists other than A (letters E, M,
N, S, T) are in neither. "Best answer" is the likeliest of the five, however unsure; a hand not found is wrong too.
The temperature and the threshold for the recipe come from the answers to all left-out pictures together.

The recipe's crowds, if they are in the folder, are trained on in every test but for the fifth of each that is held
back; that one is read by the network of all data sets, counted by itself, and has no part in means, temperature and
threshold.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mien.data.hands import HELD_BACK, load_copies, load_hands
from mien.evaluation.calibration import fitted_temperature
from mien.labels import GESTURES
from mien.recipes.recipe import load_recipe
from mien.stages.classify import softmax
from mien.stages.hands import HandDetector
from mien.train.corpus import enlarged, recipe_pictures
from mien.train.fit import RunOptions, fit
from mien.train.runs import trained_network

NONE = GESTURES.index("none")
FLAT = ("palm", "stop", "stop_inverted")
"""Folders of a crowd that show a flat hand."""


def main() -> None:
    arguments = _arguments()
    recipe = load_recipe(arguments.recipe, changes=dict(text.split("=", 1) for text in arguments.set))
    chosen = recipe_pictures(recipe, arguments.folder)
    unlimited = replace(recipe, data=replace(recipe.data, limit=arguments.limit))
    pictures = recipe_pictures(unlimited, arguments.folder)
    crowds = recipe.data.crowds
    with HandDetector(threads=1) as detector:
        dataset, found = load_hands(
            pictures, detector, whole_frames=recipe.data.whole_frames, tight=crowds, cache=arguments.cache
        )
        copies = None
        if recipe.data.copies:
            copies = load_copies(
                [picture for picture in chosen if picture.collection not in crowds],
                detector,
                recipe.data.copies,
                whole_frames=recipe.data.whole_frames,
                cache=arguments.cache,
            )
    trained_on = {picture.path for picture in chosen if not picture.group.endswith(HELD_BACK)}
    used = np.array([picture.path in trained_on for picture in pictures])[found]
    collection = np.array([picture.collection for picture in pictures])
    truth = np.array([GESTURES.index(picture.gesture) for picture in pictures])
    signers = ~np.isin(collection, crowds)
    held_back = np.array([picture.group.endswith(HELD_BACK) for picture in pictures])

    logits = np.full((len(pictures), len(GESTURES)), np.nan)
    tests = [collection == left_out for left_out in sorted(set(collection[signers]))]
    for tested in [*tests, held_back] if held_back.any() else tests:
        others = ~np.isin(collection[found], collection[tested & signers])
        for seed in range(arguments.seeds):
            answers = _leave_out(recipe, (dataset, copies), used, others, tested[found], seed)
            where = np.flatnonzero(tested & found)
            logits[where] = np.nan_to_num(logits[where]) + answers / arguments.seeds
    logits += np.array(recipe.logit_shift())
    temperature = fitted_temperature(logits[found & signers], truth[found & signers])
    probabilities = np.zeros_like(logits)
    probabilities[:, NONE] = 1
    read = found & (signers | held_back)
    probabilities[read] = softmax(logits[read] / temperature)
    threshold = recipe.export.threshold if arguments.threshold is None else arguments.threshold
    kept = (collection[signers], truth[signers], probabilities[signers])
    _print(*kept[:2], found[signers], kept[2], threshold)
    folders = np.array([picture.path.parent.name for picture in pictures])
    strangers = (collection[held_back], truth[held_back], probabilities[held_back], folders[held_back])
    if held_back.any():
        _print_crowd(*strangers[1:], threshold)
    if arguments.scores:
        scores = _scores(*kept, threshold, limit=arguments.limit) + _crowd_scores(*strangers, threshold)
        arguments.scores.write_text(json.dumps(scores, indent=2) + "\n")
    print(f"temperature over all left-out pictures {temperature:.3f}; threshold {threshold:g}")
    for t in (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.87, 0.89, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96):
        flat = f" flat {_taken(*strangers[1:], t):.3f}" if held_back.any() else ""
        print(f"threshold {t:g}:", _line(*kept, t) + flat)


def _leave_out(recipe, data, used, others, tested, seed) -> np.ndarray:
    """Logits for the tested samples of a network trained on the used samples of the others, and on their copies."""
    dataset, copies = data
    known = dataset.where(tested | (used & others))  # pictures beyond the recipe's limit are only tested
    # Who is tested is only watched: the recipe keeps the last weights, whatever they do there.
    split = np.where((used & others)[tested | (used & others)], "train", "validation").astype("<U10")
    changed = replace(recipe, fit=replace(recipe.fit, seed=recipe.fit.seed + seed, keep="last"))
    known = enlarged(replace(known, split=split), copies, changed)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fit(changed, known, RunOptions(out=run, device="cpu", progress=False, threads=1))
        _, network = trained_network(run)
    with torch.inference_mode():
        return network(torch.from_numpy(dataset.samples[tested])).double().numpy()


def _scores(collection, truth, probabilities, threshold, *, limit) -> list[dict[str, object]]:
    names, named = sorted(set(collection)), sorted(set(collection[truth == NONE]))
    parts = [("four gestures recognised", name, truth != NONE, threshold) for name in names]
    parts += [("none recognised", name, truth == NONE, threshold) for name in named]
    parts += [("four gestures, best answer", name, truth != NONE, 0.0) for name in names]
    return [
        {
            "metric": metric,
            "value": round(float(_right(truth, probabilities, least)[(collection == name) & wanted].mean()), 4),
            "data": name,
            "split": f"at most {limit} of a class, evenly spaced" if limit else "all pictures",
            "protocol": f"{((collection == name) & wanted).sum()} pictures of a data set left out of training, "
            + (f"threshold {least:g}" if least else "no threshold"),
            "command": "python benchmarks/gesture_accuracy.py GESTURES_FOLDER" + (f" --limit {limit}" if limit else ""),
        }
        for metric, name, wanted, least in parts
    ]


def _taken(truth, probabilities, folders, threshold) -> float:
    """Share of the flat hands whose answer is a gesture and not uncertain."""
    return float(1 - _right(truth, probabilities, threshold)[np.isin(folders, FLAT)].mean())


def _crowd_scores(collection, truth, probabilities, folders, threshold) -> list[dict[str, object]]:
    scores = []
    for name in sorted(set(collection)):
        mine = collection == name
        flat = mine & np.isin(folders, FLAT)
        best, sure = (_right(truth, probabilities, least) for least in (0.0, threshold))
        figures = [
            ("four gestures recognised", mine & (truth != NONE), sure, f"threshold {threshold:g}"),
            ("none recognised", mine & (truth == NONE), sure, f"threshold {threshold:g}"),
            ("flat hands recognised", flat, sure, f"threshold {threshold:g}"),
            ("four gestures, best answer", mine & (truth != NONE), best, "no threshold"),
            ("four classes, best answer", mine, best, "no threshold"),
        ]
        scores += [
            {
                "metric": metric,
                "value": round(float(right[which].mean()), 4),
                "data": name,
                "split": "held-back fifth",
                "protocol": f"{which.sum()} pictures held back by their names, {protocol}",
                "command": "python benchmarks/gesture_accuracy.py GESTURES_FOLDER",
            }
            for metric, which, right, protocol in figures
            if which.any()
        ]
    return scores


def _print_crowd(truth, probabilities, folders, threshold) -> None:
    table = Table(title=f"held-back fifth of crowds, threshold {threshold:g}", box=None)
    for heading in ("folder", "pictures", "best answer right", "right, or left alone", "sure and wrong", "uncertain"):
        table.add_column(heading, justify="right")
    answer, uncertain = probabilities.argmax(axis=1), probabilities.max(axis=1) < threshold
    best, right = answer == truth, _right(truth, probabilities, threshold)
    parts = {"all": np.ones(len(truth), bool), "flat hands": np.isin(folders, FLAT)}
    parts |= {label: truth == i for i, label in enumerate(GESTURES.labels)}
    parts |= {f"{name}/": folders == name for name in sorted(set(folders))}
    for name, mine in parts.items():
        if mine.any():
            shares = (best[mine], right[mine], ~best[mine] & ~uncertain[mine], uncertain[mine])
            table.add_row(name, f"{mine.sum()}", *(f"{share.mean():.1%}" for share in shares))
    Console(width=140).print(table)


def _line(collection, truth, probabilities, threshold) -> str:
    right, four = _right(truth, probabilities, threshold), truth != NONE
    parts = [f"{name} {right[four & (collection == name)].mean():.3f}" for name in sorted(set(collection))]
    nones = [right[~four & (collection == name)].mean() for name in sorted(set(collection[~four]))]
    mean = np.mean([right[four & (collection == name)].mean() for name in set(collection)])
    return " ".join([*parts, f"mean {mean:.3f} none {np.mean(nones):.3f}"])


def _right(truth, probabilities, threshold) -> np.ndarray:
    answer, uncertain = probabilities.argmax(axis=1), probabilities.max(axis=1) < threshold
    return np.where(truth == NONE, (answer == NONE) | uncertain, (answer == truth) & ~uncertain)


def _print(collection, truth, found, probabilities, threshold) -> None:
    right = _right(truth, probabilities, threshold)
    table = Table(title=f"left-out data sets, threshold {threshold:g}", box=None)
    for heading in ("data set", "pictures", "hand found", "four gestures", *GESTURES.labels, "without threshold"):
        table.add_column(heading, justify="right")
    shares = defaultdict(list)
    for name in sorted(set(collection)):
        mine = collection == name
        cells = [f"{right[mine & (truth == i)].mean():.1%}" if (mine & (truth == i)).any() else "-" for i in range(5)]
        four = mine & (truth != NONE)
        plain = _right(truth, probabilities, 0.0)[four].mean()
        shares["four gestures, uncertain answers wrong"].append(right[four].mean())
        shares["four gestures, best answer"].append(plain)
        table.add_row(
            name, f"{mine.sum()}", f"{found[four].mean():.1%}", f"{right[four].mean():.1%}", *cells, f"{plain:.1%}"
        )
        if (mine & (truth == NONE)).any():
            shares["none recognised"].append(right[mine & (truth == NONE)].mean())
    Console(width=140).print(table)
    for what, each in shares.items():
        print(f"{what}, mean over data sets: {np.mean(each):.1%}, least {min(each):.1%}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", default="gesture")
    parser.add_argument("--limit", type=int, default=0, help="test at most so many pictures of a class and data set")
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
