from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.labels import EMOTIONS, GESTURES_5, LabelSet
from mien.reports.dataset.page import explore
from mien.reports.dataset.sections import Origin

SPLITS = ("train", "validation", "test")


def made(count: int = 60, *, label_set: LabelSet = GESTURES_5, colour: bool = True, **changes: Any) -> Dataset:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 6, 6, *((3,) if colour else ())), dtype=np.uint8)
    values: dict[str, Any] = {
        "samples": np.stack([cv2.resize(image, (16, 20), interpolation=cv2.INTER_CUBIC) for image in coarse]),
        "labels": np.arange(count) % len(label_set),
        "split": np.array([SPLITS[i // 5 % 3] for i in range(count)]),
        "groups": np.array([f"hand{i % 4}" for i in range(count)]),
        "label_set": label_set,
        "source": "made up",
    }
    return Dataset(**(values | changes))


def seen(dataset: Dataset, **known: Any) -> tuple[str, tuple[str, ...]]:
    page, findings = explore(dataset, Origin(title="A look", **known))
    return page.html(), findings


def headings(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", html)


def test_all_sections_of_a_set_that_has_everything() -> None:
    count = 42
    random = np.random.default_rng(1)
    votes = random.random((count, 7)).astype(np.float32)
    faces = made(
        count,
        label_set=EMOTIONS,
        colour=False,
        votes=votes / votes.sum(axis=1, keepdims=True),
        not_a_face=np.arange(count) == 3,
        caveats=("The split is random although samples belong to groups.",),
    )
    faces.samples[1] = faces.samples[0]
    faces.samples[2] = (faces.samples[0] * 0.8).astype(np.uint8)
    html, findings = seen(faces, sizes_hw=Counter({(20, 16): 42}), problems=["row 9 is bad"])
    assert headings(html) == [
        "What stands out",
        "How many of each class",
        "What is missing",
        "Sizes of the files",
        "What the pictures look like",
        "Brightness and contrast",
        "Copies",
        "Labels and the votes of several raters",
        "Signers, clips and other groups",
    ]
    for words in (
        "A look",
        "made up: 42 pictures of 16 x 20 pixels, grey, 7 classes; train",
        "The split is random although samples belong to groups.",
        "row 9 is bad",
        "not what the person in it felt",
        "Raters saw no face in 1 picture.",
    ):
        assert words in html
    assert all(sentence in html for sentence in findings)
    assert html.count("<svg") == 10


def test_what_is_not_there_has_no_section() -> None:
    html, _ = seen(made(groups=np.full(60, "")))
    assert headings(html) == [
        "What stands out",
        "How many of each class",
        "What is missing",
        "What the pictures look like",
        "Brightness and contrast",
        "Copies",
    ]
    assert "felt" not in html


def test_numbers_on_the_page_are_those_of_the_data() -> None:
    dataset = made(
        label_set=GESTURES_5, labels=np.repeat([0, 1, 2, 3, 4], [30, 15, 9, 5, 1]), split=np.full(60, "train")
    )
    html, findings = seen(dataset)
    assert findings[0] == "None is rare: 1.7 % of train, 30.0 times fewer than loser."
    for label, count in zip(GESTURES_5.labels, (30, 15, 9, 5, 1), strict=True):
        assert f'<th scope="row">{label}</th><td>{count}</td><td>{count / 60:.1%}'.replace("%", " %") in html


@pytest.mark.slow
@pytest.mark.parametrize(
    "dataset",
    [
        made(colour=False, labels=np.zeros(60, np.int64), split=np.full(60, "test"), groups=np.full(60, "one")),
        made(groups=np.array([f"clip {i}" for i in range(60)])),
        made(samples=np.full((60, 8, 8), 9, np.uint8)),
        made(samples=np.random.default_rng(0).integers(0, 256, (60, 3, 90, 3), dtype=np.uint8)),
        made(1),
        made(60, label_set=LabelSet("letters", tuple("abcdefghijklmnopqrstuvwxyz"))),
        made(60, label_set=LabelSet("odd", ("$x$", "a_b^c", "<b>", "開心", "a & b"))),
        made(votes=np.zeros((60, 5), np.float32)),
    ],
    ids=["one of each", "many groups", "blank", "a strip", "one picture", "letters", "odd names", "no votes"],
)
def test_odd_sets_are_shown_too(dataset: Dataset) -> None:
    html, findings = seen(dataset)
    assert findings
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL).lower()


def test_landmarks_and_empty_sets_are_refused() -> None:
    landmarks = made(samples=np.zeros((60, 21, 3), np.float32))
    with pytest.raises(DataError, match=r"made up holds features of the shape .* such as landmarks, not pictures"):
        seen(landmarks)
    with pytest.raises(DataError, match="made up has no samples to look at"):
        seen(made().where(np.zeros(60, bool)))


@pytest.mark.slow
def test_the_same_data_gives_the_same_page_and_another_seed_other_pictures(tmp_path: Path) -> None:
    dataset = made(200)
    files = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        page, _ = explore(dataset, Origin(title="A look", seed=seed))
        page.save(tmp_path / name / "page.html")
        files.append({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*.*") if p.is_file()})
    assert files[0] == files[1]
    assert {name for name in files[0] if files[0][name] != files[2][name]} >= {"samples.png", "page.html"}
    assert files[0]["counts-bars.png"] == files[2]["counts-bars.png"]


def test_looking_changes_nothing() -> None:
    dataset = made()
    before = dataset.fingerprint()
    copy = replace(dataset, samples=dataset.samples.copy())
    seen(dataset)
    assert dataset.fingerprint() == before
    np.testing.assert_array_equal(dataset.samples, copy.samples)


def test_shades_of_the_splits_differ_in_lightness_and_form() -> None:
    from matplotlib.colors import to_rgb

    from mien.reports.dataset.plots import _SPLIT_LOOKS

    lightness = sorted(float(np.dot(to_rgb(look["color"]), (0.2126, 0.7152, 0.0722))) for look in _SPLIT_LOOKS)
    assert np.diff(lightness).min() > 0.15
    for form in ("hatch", "marker"):
        assert len({look[form] for look in _SPLIT_LOOKS}) == 3


def test_no_window_library_is_asked_for() -> None:
    import matplotlib.pyplot as plt

    seen(made(20))
    assert plt.get_fignums() == []
