"""How a crop should lie around the detected face: accuracy of an emotion model by margin, lift and level.

    python benchmarks/face_margin.py fer2013.csv.xz [--model NAME_OR_FOLDER] [--limit 0]

FER2013's validation images (PublicTest) are set into a larger picture (their border repeated), the face detector finds
the face in it, and each crop is classified. Images in which the detector finds nothing are left out.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from mien.data.readers.fer2013 import SIDE, load_fer2013
from mien.pixels.preprocess import InputSpec, crop_face, to_batch
from mien.stages.classify import EMOTION_MODEL, ExpressionClassifier
from mien.stages.faces import FaceDetector

SCALE = 4
BORDER = SIDE // 2
MARGINS = (-0.05, 0.0, 0.03, 0.05, 0.07, 0.1)
LIFTS = (-0.02, 0.0, 0.02, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--model", default=EMOTION_MODEL)
    parser.add_argument("--limit", type=int, default=0, help="only the first so many images")
    arguments = parser.parse_args()
    part = load_fer2013(arguments.csv).part("validation")
    count = arguments.limit or len(part)
    with FaceDetector() as detector, ExpressionClassifier(arguments.model) as classifier:
        pictures = [_in_a_larger_picture(image) for image in part.samples[:count]]
        faces = [next(iter(detector.detect(picture)), None) for picture in pictures]
        kept = [i for i, face in enumerate(faces) if face is not None]
        _print_frames([faces[i] for i in kept])
        labels = part.labels[kept]
        whole = classifier.probabilities(to_batch(part.samples[kept], classifier.spec)).argmax(axis=1) == labels
        table = Table(title=f"{arguments.model}, {len(kept)} of {count} PublicTest images with a face found", box=None)
        for heading in ("margin", *(f"lift {lift:g}{eyes}" for lift in LIFTS for eyes in ("", ", level"))):
            table.add_column(heading, justify="right")
        for margin in MARGINS:
            cells = []
            for lift in LIFTS:
                for level in (False, True):
                    spec = replace(classifier.spec, margin=margin, lift=lift, level=level)
                    answers = classifier.probabilities(_batch(pictures, faces, kept, spec)).argmax(axis=1)
                    cells.append(f"{(answers == labels).mean():.4f}")
            table.add_row(f"{margin:g}", *cells)
        print(f"FER2013's own frame: {whole.mean():.4f}")
    Console(width=120).print(table)


def _batch(pictures: list, faces: list, kept: list[int], spec: InputSpec) -> np.ndarray:
    crops = [crop_face(pictures[i], faces[i].box_xyxy, spec, keypoints_xy=faces[i].keypoints_xy) for i in kept]
    return to_batch(np.stack(crops), spec)


def _in_a_larger_picture(image: np.ndarray) -> np.ndarray:
    bordered = cv2.copyMakeBorder(image, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    large = cv2.resize(bordered, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(large, cv2.COLOR_GRAY2RGB)


def _print_frames(faces: list) -> None:
    boxes = np.array([face.box_xyxy for face in faces])
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    offset = (centres - (BORDER + SIDE / 2) * SCALE) / sides[:, None]
    ratio = SIDE * SCALE / sides
    print(f"FER2013's frame is {np.median(ratio):.3f} box sides wide (quartiles {np.quantile(ratio, [0.25, 0.75])})")
    print(f"the box's centre lies {np.median(offset, axis=0)} box sides right of and below the frame's")


if __name__ == "__main__":
    main()
