"""mien beside other tools, each in an environment of its own, on the same photos, clips and faces of FER2013.

    python benchmarks/peers/run.py ENVIRONMENTS DATA [--out results.json] [--only fer] [--frames 60] [--rounds 2]
    python benchmarks/peers/document.py

ENVIRONMENTS is a folder for the virtual environments; those that are missing are made (several GB with all of them).
DATA holds fer2013/, media/, face_groups/ and hands_many/. The tools run in turn, each `rounds` times as a process of
its own, with one thread; of times the least counts, for other work on the machine only adds to them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from environments import ENVIRONMENTS, NOT_RUN, python_of, size_of

from mien import __version__
from mien.data.readers.load import load_dataset
from mien.evaluation.predictions import samples_of
from mien.pixels.boxes import iou
from mien.pixels.images import read_image, write_image
from mien.resource import usable_cores

TOOLS = {
    "mien": ("mien", "tool_mien", "emotion"),
    "fer 25.10.3, Haar": ("fer", "tool_fer", "haar"),
    "fer 25.10.3, MTCNN": ("fer", "tool_fer", "mtcnn"),
    "fer 25.10.3, MTCNN given RGB": ("fer", "tool_fer", "mtcnn-rgb"),
    "deepface 0.0.103, opencv": ("deepface", "tool_deepface", "opencv"),
    "deepface 0.0.103, mtcnn": ("deepface", "tool_deepface", "mtcnn"),
    "mien, hands": ("mien", "tool_mien", "gesture"),
    "MediaPipe 0.10.21 hands, full": ("mediapipe", "tool_mediapipe", "full"),
    "MediaPipe 0.10.21 hands, lite": ("mediapipe", "tool_mediapipe", "lite"),
}
"""Environment, module and variant of each."""

READS = ("mien", "fer 25.10.3, Haar")
"""Tools whose expressions are compared; fer reads alike with either detector."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")

_OVERLAP = 0.35  # as benchmarks/detection.py
_CLIPS = {"faces": ("fer_test.mp4", "single_face.mp4", "no_face.mp4"), "hands": ("hand_video.mp4", "no_face.mp4")}
_HANDS = ("fist", "like", "palm", "peace")


def main() -> None:
    asked = _arguments()
    dataset = load_dataset(asked.data / "fer2013" / "fer2013.csv.xz")
    part = samples_of(dataset, "validation")
    chosen = np.random.default_rng(0).permutation(len(part.labels))[: asked.faces]
    truth = [part.label_set.labels[label] for label in part.labels[chosen]]
    earlier = json.loads(asked.out.read_text("utf-8"))["tools"] if asked.only and asked.out.is_file() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.save(folder / "faces.npy", part.samples[chosen])
        hands = _hand_photos(asked.data / "hands_many", folder / "hands", asked.hands)
        told = dict(earlier)
        for name, (environment, module, variant) in TOOLS.items():
            if asked.only and not any(word in name for word in asked.only):
                continue
            python = python_of(environment, asked.environments, asked.python)
            of_hands = environment == "mediapipe" or variant == "gesture"
            job = _hands_job(asked, hands) if of_hands else _faces_job(asked)
            runs = [_measured(python, module, variant, job, folder) for _ in range(asked.rounds)]
            told[name] = _figures(runs, asked, of_hands=of_hands) | size_of(python)
            if note := ENVIRONMENTS[environment].note:
                told[name]["note"] = note
            if name in READS:
                reading = {"crops": str(folder / "faces.npy")}
                crops = _measured(python, module, variant, reading, folder)["crops"]
                right = np.mean([label == known for label, known in zip(crops["labels"], truth, strict=True)])
                told[name] |= {"accuracy": round(float(right), 4), "ms_per_face": round(crops["processor_ms"], 2)}
            print(name, json.dumps(told[name]), file=sys.stderr)
            about = {
                "mien": __version__,
                "machine": f"{platform.system()} {platform.machine()}, {usable_cores()} cores",
            }
            about |= {"load": round(os.getloadavg()[2], 1), "frames": asked.frames, "rounds": asked.rounds}
            about |= {"faces": asked.faces, "split": "PublicTest", "hand_photos": len(hands)}
            results = {"about": about, "tools": told, "not_run": NOT_RUN}
            asked.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def _faces_job(asked: argparse.Namespace) -> dict[str, Any]:
    groups = sorted(json.loads((asked.data / "face_groups" / "faces.json").read_text("utf-8")))
    return {
        "frames": asked.frames,
        "clips": {name: str(asked.data / "media" / name) for name in _CLIPS["faces"]},
        "photos": {"groups": [str(asked.data / "face_groups" / name) for name in groups]},
    }


def _hands_job(asked: argparse.Namespace, hands: list[Path]) -> dict[str, Any]:
    return {
        "frames": asked.frames,
        "clips": {name: str(asked.data / "media" / name) for name in _CLIPS["hands"]},
        "photos": {"hands": [str(path) for path in hands]},
    }


def _hand_photos(source: Path, folder: Path, count: int) -> list[Path]:
    """Crops of hands with their surroundings continued by half of their size, for they are cut tight."""
    made = []
    for name in _HANDS:
        for path in sorted((source / name).iterdir())[:: max(1450 // count, 1)][:count]:
            image_rgb = read_image(path)
            height, width = image_rgb.shape[:2]
            padded = np.pad(image_rgb, ((height // 2, height // 2), (width // 2, width // 2), (0, 0)), mode="edge")
            write_image(folder / f"{name}-{path.stem}.png", padded)
            made.append(folder / f"{name}-{path.stem}.png")
    return made


def _measured(python: str, module: str, variant: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What one process of a tool tells."""
    (folder / "job.json").write_text(json.dumps(job), "utf-8")
    script = Path(__file__).with_name("measure.py")
    done = subprocess.run(
        [python, script, module, variant, folder / "job.json"],
        check=True,
        stdout=subprocess.PIPE,
        env=os.environ | ONE_THREAD,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _figures(runs: list[dict[str, Any]], asked: argparse.Namespace, *, of_hands: bool) -> dict[str, Any]:
    """The least of times, and what was found, which is the same in each run."""
    last = runs[-1]
    figures: dict[str, Any] = {"finds": "hands" if of_hands else "faces", "clips": {}, "photos": {}}
    for name, clip in last["clips"].items():
        found = clip["found"]
        figures["clips"][name] = {
            "frames": len(found),
            "found": sum(found),
            "frames_with": sum(count > 0 for count in found),
            **{key: round(min(run["clips"][name][key] for run in runs), 1) for key in ("ms", "processor_ms")},
        }
    for name, photos in last["photos"].items():
        found = [np.array(boxes, np.float64).reshape(-1, 4) for boxes in photos["boxes"]]
        told = {
            "photos": len(found),
            "found": sum(map(len, found)),
            "photos_with": sum(len(boxes) > 0 for boxes in found),
        }
        if name == "groups":
            known = json.loads((asked.data / "face_groups" / "faces.json").read_text("utf-8"))
            pairs = [
                (np.array(known[each], np.float64), boxes) for each, boxes in zip(sorted(known), found, strict=True)
            ]
            told |= {"known": sum(len(each) for each, _ in pairs), "right": sum(matches(*pair) for pair in pairs)}
        told |= {key: round(min(run["photos"][name][key] for run in runs), 1) for key in ("ms", "processor_ms")}
        figures["photos"][name] = told
    figures["memory_mb"] = round(max(run["memory_mb"] for run in runs))
    figures["start_s"] = round(min(run["start_s"] for run in runs), 1)
    return figures


def matches(known_xyxy: np.ndarray, found_xyxy: np.ndarray) -> int:
    """How many known boxes, (N, 4) pixels, have one of the found, (M, 4), of their own."""
    overlaps, count = iou(known_xyxy.reshape(-1, 4), found_xyxy), 0
    while overlaps.size and overlaps.max() >= _OVERLAP:
        row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        overlaps[row] = overlaps[:, column] = 0
        count += 1
    return count


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environments", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--only", nargs="*", help="words of the tools to measure; the others stay as they are in --out")
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--faces", type=int, default=1000, help="of FER2013's PublicTest")
    parser.add_argument("--hands", type=int, default=40, help="photos of each of four gestures")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--python", default=sys.executable, help="Python 3.10 to 3.12, for the environments")
    return parser.parse_args()


if __name__ == "__main__":
    main()
