"""The package `fer` on FER2013, beside a model of ours: its answers as a CSV, what is known of it as a JSON.

    python benchmarks/peer_fer.py ENVIRONMENT fer2013.npz --out fer.csv [--split validation] [--kind default|keras]
    mien models compare fer.csv --data fer2013.npz
    mien evaluate fer.csv --data fer2013.npz --split validation

fer 25.10.3 gets an environment of its own in the folder ENVIRONMENT, made by the first call: fer without what only its
detectors and videos need, TensorFlow for processors, and an OpenCV and a setuptools that still have what it imports
(about 1.6 GB; pip says what is left out). `default` is the network fer answers with unless told otherwise (quantised,
TensorFlow Lite), `keras` the one that was trained. Its own code prepares the faces; its face detector is not asked, as
the pictures are faces.

Times are of the network alone, processor time, on one thread, in turn with ours: medians of --rounds rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from peers.environments import made_python

from mien import __version__
from mien.data.readers.load import load_dataset
from mien.evaluation.latency import CLOCK, TimedModel, median_times
from mien.evaluation.model_table import ModelFacts, model_row
from mien.evaluation.peers import PeerFacts, write_peer_facts
from mien.evaluation.prediction_table import PredictionTable, read_predictions, write_predictions
from mien.evaluation.predictions import answers_of_predictions, samples_of
from mien.stages.classify import EMOTION_MODEL

FER = "fer==25.10.3"
NEEDED = (
    "tensorflow-cpu>=2.17,<2.20; platform_machine == 'x86_64' or platform_machine == 'AMD64'",
    "tensorflow>=2.17,<2.20; platform_machine != 'x86_64' and platform_machine != 'AMD64'",
    "opencv-python-headless<5",  # 5 has no CascadeClassifier, which fer makes even where nobody asks for it
    "pillow",
    "requests",
    "setuptools<81",  # fer imports pkg_resources
)
INSIDE = Path(__file__).with_name("peer_fer_inside.py")


def main() -> None:
    arguments = _arguments()
    steps = (("--no-deps", FER), NEEDED)
    python = made_python(arguments.environment, arguments.python, steps, mark="fer-is-installed")
    dataset = load_dataset(arguments.data)
    part = samples_of(dataset, arguments.split)
    with tempfile.TemporaryDirectory() as scratch:
        faces, told = Path(scratch) / "faces.npy", Path(scratch) / "probabilities.npy"
        np.save(faces, part.samples)
        with subprocess.Popen(
            [python, INSIDE, faces, told, arguments.kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as peer:
            line = peer.stdout.readline()
            if not line:
                raise SystemExit("fer did not answer; what went wrong is above")
            facts = json.loads(line)
            times = _times(peer, part.samples, arguments.rounds)
            peer.stdin.close()
        probabilities = np.load(told).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    write_predictions(
        arguments.out,
        PredictionTable(
            labels=tuple(facts["labels"]),
            predicted=probabilities.argmax(axis=1),
            probabilities=probabilities,
            names=part.names,
            true=np.array(part.label_set.labels)[part.labels],
        ),
    )
    beside = write_peer_facts(arguments.out, _facts(arguments.kind, facts, times, arguments.rounds))
    answers = answers_of_predictions(
        read_predictions(arguments.out, label_set=dataset.label_set), dataset, arguments.split
    )
    row = model_row(ModelFacts(name="fer", kind="predictions"), answers)
    print(f"{arguments.split} of {dataset.source}, {row.samples} faces")
    print(f"accuracy {row.accuracy:.4f} (95 % interval {row.accuracy_95[0]:.4f} to {row.accuracy_95[1]:.4f})")
    print(f"macro F1 {row.macro_f1:.4f}, ECE {row.ece:.4f}")
    for name, (one, many) in times.items():
        print(f"{name}: {one:.2f} ms a face one at a time, {many:.2f} at 32")
    print(f"written: {arguments.out}, {beside}")


def _times(peer: subprocess.Popen[str], samples: np.ndarray, rounds: int) -> dict[str, tuple[float, ...]]:
    """Medians of fer and of our model, asked in turn."""

    def ask(faces: int) -> float:
        peer.stdin.write(f"{faces}\n")
        peer.stdin.flush()
        return float(peer.stdout.readline())

    with TimedModel(EMOTION_MODEL, samples) as ours:
        return median_times({"fer": ask, EMOTION_MODEL: ours}, rounds=rounds)


def _facts(kind: str, facts: dict[str, Any], times: dict[str, tuple[float, ...]], rounds: int) -> PeerFacts:
    one, many = times[EMOTION_MODEL]
    note = (
        f"Its times were measured in turn with {EMOTION_MODEL} of mien {__version__}, which took {one:.2f} ms, and "
        f"{many:.2f} ms at 32: {CLOCK}, medians of {rounds} rounds, TensorFlow {facts['tensorflow']}."
    )
    return PeerFacts(
        name="fer" if kind == "default" else f"fer ({kind})",
        version=facts["version"],
        licence=facts["licence"],
        parameters=facts["parameters"],
        bytes=facts["bytes"],
        ms_1=round(times["fer"][0], 4),
        ms_32=round(times["fer"][1], 4),
        threads=1,
        notes=(note,),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", type=Path, help="folder of fer's environment")
    parser.add_argument("data", type=Path, help="FER2013's CSV or a packed file")
    parser.add_argument("--out", type=Path, default=Path("fer.csv"))
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--kind", choices=("default", "keras"), default="default")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--python", default=sys.executable, help="Python 3.9 to 3.12, for the environment")
    return parser.parse_args()


if __name__ == "__main__":
    main()
