from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS, GESTURES
from mien.recipes.recipe import Recipe, recipe_from_dict
from mien.scene import Box, Face, Hand, Prediction, Scene, Side
from mien.words import choose

SIDE = 16

_HAND = (
    *((0.0, 0.0), (0.25, -0.12), (0.42, -0.3), (0.55, -0.45), (0.65, -0.55), (0.2, -0.55), (0.25, -0.8)),
    *((0.27, -0.95), (0.29, -1.08), (0.03, -0.58), (0.03, -0.86), (0.03, -1.02), (0.03, -1.15), (-0.12, -0.53)),
    *((-0.16, -0.6), (-0.13, -0.45), (-0.11, -0.4), (-0.26, -0.45), (-0.3, -0.5), (-0.26, -0.38), (-0.22, -0.35)),
)


os.environ["MIEN_LANGUAGE"] = "en"  # also for the commands that tests start


@contextmanager
def _unwatched(config: pytest.Config) -> Iterator[None]:
    """Without measuring coverage, for which all Python code, that of other packages too, takes twice as long."""
    watch = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if watch is None:
        yield
        return
    watch.pause()
    try:
        yield
    finally:
        watch.resume()


def _untraced(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of another package during which lines are not counted."""

    @wraps(call)
    def run(*args: Any, **given: Any) -> Any:
        trace = sys.gettrace()
        sys.settrace(None)
        try:
            return call(*args, **given)
        finally:
            sys.settrace(trace)

    return run


_SLOW = (("torch.onnx", "", "export"), ("matplotlib.figure", "Figure", "savefig"))
"""Module, class if any, and function."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Where coverage is measured, that is of all tests, what is slow in other packages is done without: importing them,
    converting to ONNX, drawing plots."""
    if not (session.config.pluginmanager.hasplugin("_cov") and hasattr(session.config, "workerinput")):
        return
    with _unwatched(session.config):
        for name in ("lightning", "kornia", "onnxscript", "sklearn.metrics", "matplotlib.pyplot", "pyarrow", "duckdb"):
            with suppress(ImportError):
                importlib.import_module(name)
    for module, owner, name in _SLOW:
        if module in sys.modules:
            where = sys.modules[module]
            where = getattr(where, owner) if owner else where
            setattr(where, name, _untraced(getattr(where, name)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Coverage is that of the quick tests: a slow one, with what is set up for it, goes the ways of several of them."""
    if item.get_closest_marker("slow") is None:
        return (yield)
    with _unwatched(item.config):
        return (yield)


@pytest.fixture(autouse=True)
def english_is_spoken() -> Iterator[None]:
    """A language that a test chooses ends with it."""
    yield
    choose(None)


@pytest.fixture(autouse=True)
def no_log_outlives_its_test() -> Iterator[None]:
    """The command logs to the stderr of the test that ran it, which is closed after it."""
    yield
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def _data_root() -> Path | None:
    named = os.environ.get("MIEN_DATA")
    candidates = [Path(named)] if named else []
    candidates.append(Path(__file__).resolve().parents[2] / "shared" / "data")
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the data sets, or a skip that says how to name one."""
    root = _data_root()
    if root is None:
        pytest.skip("no data sets here: name their folder in MIEN_DATA")
    return root


@pytest.fixture(scope="session")
def media(data_root: Path) -> Path:
    """The folder with real photos and clips."""
    folder = data_root / "media"
    if not folder.is_dir():
        pytest.skip(f"no photos and clips in {folder}")
    return folder


@pytest.fixture(scope="session")
def fer2013(data_root: Path) -> Dataset:
    """FER2013 as published, with the votes of FER+: read once, because that takes its time."""
    from mien.data.readers.ferplus import load_ferplus
    from mien.data.readers.load import load_dataset

    folder = data_root / "fer2013"
    csv = next((path for path in (folder / "fer2013.csv", folder / "fer2013.csv.xz") if path.is_file()), None)
    if csv is None or not (folder / "fer2013new.csv").is_file():
        pytest.skip(f"no FER2013 in {folder}")
    return load_dataset(csv, votes=load_ferplus(folder / "fer2013new.csv"))


@pytest.fixture(scope="session")
def heic() -> Callable[..., bytes]:
    """Makes HEIC files of four coloured quarters; see heic_file.py."""
    spec = importlib.util.spec_from_file_location("heic_file", Path(__file__).with_name("heic_file.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    make: Callable[..., bytes] = module.heic
    return make


def _reading(names: Sequence[str], label: str, confidence: float, uncertain: bool, perhaps: bool) -> Prediction:
    rest = (1 - confidence) / (len(names) - 1)
    scores = {name: confidence if name == label else rest for name in names}
    return Prediction(label=label, confidence=confidence, uncertain=uncertain, perhaps=perhaps, probabilities=scores)


def make_face(
    label: str | None = "happy",
    confidence: float = 0.91,
    *,
    uncertain: bool = False,
    perhaps: bool = False,
    box_xyxy: Box = (20.0, 30.0, 90.5, 120.25),
    track: int | None = 1,
) -> Face:
    prediction = _reading(EMOTIONS.labels, label, confidence, uncertain, perhaps) if label else None
    return Face(box_xyxy=box_xyxy, detection_score=0.98, track=track, prediction=prediction)


def make_hand(
    label: str | None = "victory",
    confidence: float = 0.99,
    *,
    uncertain: bool = False,
    perhaps: bool = False,
    side: Side = "right",
    wrist_xy: tuple[float, float] = (120.0, 150.0),
    size: float = 60.0,
) -> Hand:
    x, y = wrist_xy
    points = tuple((x + size * a, y + size * b, 0.0) for a, b in _HAND)
    prediction = _reading(GESTURES.labels, label, confidence, uncertain, perhaps) if label else None
    box = (x - 0.4 * size, y - 1.3 * size, x + 0.8 * size, y + 0.1 * size)
    return Hand(box_xyxy=box, detection_score=0.97, side=side, landmarks_xyz=points, track=1, prediction=prediction)


@pytest.fixture
def scene() -> Callable[..., Scene]:
    """Makes a scene of a 200 x 160 frame with whatever it is given."""

    def make(frame: int = 0, *regions: Face | Hand, source: str = "żółć.mp4") -> Scene:
        return Scene(
            source=source,
            frame=frame,
            time_s=frame / 25,
            size_hw=(160, 200),
            faces=tuple(region for region in regions if isinstance(region, Face)),
            hands=tuple(region for region in regions if isinstance(region, Hand)),
        )

    return make


@pytest.fixture
def face() -> Callable[..., Face]:
    return make_face


@pytest.fixture
def hand() -> Callable[..., Hand]:
    return make_hand


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., Recipe]:
    """A recipe for `tiny_faces`; sections given replace single settings."""

    def make(**sections: dict[str, Any]) -> Recipe:
        data: dict[str, Any] = {
            "name": "tiny",
            "task": "emotion",
            "label_set": "emotions",
            "input": {"size_hw": [SIDE, SIDE], "mean": [0.4], "std": [0.2]},
            "network": {"widths": [8, 16], "dropout": 0.1},
            "fit": {"epochs": 3, "batch": 16, "rate": 0.1},
        }
        for name, values in sections.items():
            data[name] = data.get(name, {}) | values
        return recipe_from_dict(data)

    return make


@pytest.fixture(scope="session")
def tiny_faces() -> Dataset:
    """Noise with a bright bar whose row tells the label: 140 to train, 42 to validate, 14 to test."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(7), 28)
    samples = random.integers(40, 120, (len(labels), SIDE, SIDE), np.uint8)
    for sample, label in zip(samples, labels, strict=True):
        sample[2 * label : 2 * label + 2] += 110
    votes = np.eye(7, dtype=np.float32)[labels] * 0.7 + 0.3 / 7
    return Dataset(
        samples=samples,
        labels=labels,
        split=np.array(["train"] * 140 + ["validation"] * 42 + ["test"] * 14),
        groups=np.full(len(labels), ""),
        label_set=EMOTIONS,
        votes=votes.astype(np.float32),
        source="bars",
    )
