"""Makes the bank of hands that `mien teach` fits new gestures against: src/mien/teach/bank.npz.

    python tools/make_teach_bank.py GESTURES_FOLDER [--cache DIR] [--each 250] [--none 2000] [--out FILE]

GESTURES_FOLDER is what the recipe gesture_landmark is trained on (docs/data.md). The bank has the landmarks of as many
hands for each of the gestures, and of more that show none, for these are of all kinds. They are drawn at random with a
fixed seed: from the crowds in the recipe, without the fifth of them that is held back; for gestures that these lack
(`loser`), from the other data sets but for `webcam`, which `benchmarks/teach.py` measures on. Landmarks are read as
`mien train gesture_landmark` reads them, and a folder of its cache can be given. The bank has no pictures, and depends
on no gesture model.
"""

from __future__ import annotations

import argparse
import io
import logging
from pathlib import Path

import numpy as np

from mien.data.hands import HELD_BACK
from mien.files.whole import write_whole
from mien.labels import GESTURES, NOTHING
from mien.recipes.recipe import load_recipe
from mien.stages.hands import HandDetector
from mien.teach.bank import BANK, load_bank
from mien.train.corpus import recipe_hands, recipe_pictures

LICENCE = "HaGRID public licence, a variant of CC BY-SA 4.0 (Kapitanov et al.)"
MEASURED_ON = ("webcam",)
SEED = 19


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--each", type=int, default=250)
    parser.add_argument("--none", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=BANK)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = load_recipe("gesture_landmark")
    pictures = [
        picture
        for picture in recipe_pictures(recipe, arguments.folder)
        if not picture.group.endswith(HELD_BACK) and picture.collection not in MEASURED_ON
    ]
    with HandDetector(threads=2) as detector:
        dataset, found = recipe_hands(recipe, pictures, detector, arguments.cache)
    shown = [picture for picture, has_hand in zip(pictures, found, strict=True) if has_hand]
    labels = np.array([picture.gesture for picture in shown])
    is_crowd = np.array([picture.collection in recipe.data.crowds for picture in shown])
    rng = np.random.default_rng(SEED)
    chosen = []
    for label in GESTURES.labels:
        there = np.flatnonzero((labels == label) & is_crowd)
        there = there if len(there) else np.flatnonzero(labels == label)
        wanted = arguments.none if label == NOTHING else arguments.each
        chosen.append(np.sort(rng.permutation(there)[:wanted]))
        print(f"{label}: {len(chosen[-1])} of {len(there)} hands")
    rows = np.concatenate(chosen)
    file = io.BytesIO()
    samples = dataset.samples[rows].astype(np.float16)
    np.savez_compressed(file, samples=samples, labels=labels[rows], licence=np.array(LICENCE))
    write_whole(arguments.out, file.getvalue())
    bank = load_bank(arguments.out)
    print(f"{len(bank.labels)} hands, {arguments.out.stat().st_size / 1e3:.0f} kB in {arguments.out}")


if __name__ == "__main__":
    main()
