from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.data.readers.ferplus import UNCLEAR, load_ferplus
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS, EMOTIONS_8

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: str, header: str = HEADER) -> Path:
        path = tmp_path / "fer2013new.csv"
        path.write_text(header + "".join(f"Training,fer.png,{row}\n" for row in rows), "utf-8")
        return path

    return write


def test_votes_become_shares_in_the_order_of_the_labels(table: Callable[..., Path]) -> None:
    votes = load_ferplus(table("4,0,0,1,3,2,0,0,0,0", "0,10,0,0,0,0,0,0,0,0"))
    assert votes.distribution.dtype == np.float32
    expected = dict.fromkeys(EMOTIONS.labels, 0.0) | {"neutral": 0.4, "sad": 0.1, "angry": 0.3, "disgust": 0.2}
    np.testing.assert_allclose(votes.distribution[0], list(expected.values()))
    assert votes.distribution[1, EMOTIONS.index("happy")] == 1


def test_votes_outside_the_label_set_are_left_out_and_the_rest_rescaled(table: Callable[..., Path]) -> None:
    path = table("1,0,0,0,3,0,0,4,2,0")
    seven = load_ferplus(path).distribution[0]
    assert (seven[EMOTIONS.index("neutral")], seven[EMOTIONS.index("angry")]) == (0.25, 0.75)
    eight = load_ferplus(path, label_set=EMOTIONS_8).distribution[0]
    assert eight[EMOTIONS_8.index("contempt")] == 0.5
    assert eight.sum() == 1


def test_a_row_without_an_expression_is_all_zeros(table: Callable[..., Path]) -> None:
    votes = load_ferplus(table("0,0,0,0,0,0,0,0,3,7", "0,0,0,0,0,0,0,10,0,0"))
    np.testing.assert_array_equal(votes.distribution, np.zeros((2, 7)))


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ("4,3,0,0,3,0,0,0,0,0", "neutral"),
        ("1,0,0,0,3,0,0,4,2,0", "contempt"),
        ("0,0,0,0,4,4,0,0,2,0", None),  # two have as many
        ("2,0,0,0,3,0,0,0,5,0", None),  # most cannot say
        ("0,4,0,0,0,0,0,0,4,2", None),
        ("0,4,0,0,0,0,0,0,0,6", None),  # most see no face
    ],
)
def test_the_label_is_what_more_raters_chose_than_anything_else(
    table: Callable[..., Path], row: str, label: str | None
) -> None:
    votes = load_ferplus(table(row), label_set=EMOTIONS_8, relabel=True)
    assert votes.labels is not None
    assert votes.labels.tolist() == [UNCLEAR if label is None else EMOTIONS_8.index(label)]
    assert load_ferplus(table(row)).labels is None


def test_a_label_outside_the_set_is_unclear(table: Callable[..., Path]) -> None:
    votes = load_ferplus(table("1,0,0,0,3,0,0,4,2,0"), relabel=True)
    assert votes.labels is not None
    assert votes.labels.tolist() == [UNCLEAR]


@pytest.mark.parametrize(
    ("row", "no_face"),
    [
        ("0,0,0,0,0,0,0,0,0,10", True),
        ("4,0,0,0,0,0,0,0,1,5", True),
        ("5,0,0,0,0,0,0,0,0,5", False),
        ("0,0,0,0,0,0,0,5,0,5", False),
        ("3,3,0,0,0,0,0,0,0,4", True),
    ],
)
def test_no_face_needs_more_votes_than_any_single_expression(
    table: Callable[..., Path], row: str, no_face: bool
) -> None:
    assert load_ferplus(table(row)).not_a_face.tolist() == [no_face]


@pytest.mark.parametrize("value", ["x", "", "nan", "inf", "-1"])
def test_a_wrong_vote_is_named_with_its_line(table: Callable[..., Path], value: str) -> None:
    with pytest.raises(DataError, match="line 3"):
        load_ferplus(table("4,0,0,1,3,2,0,0,0,0", f"{value},0,0,1,3,2,0,0,0,0", "4,0,0,1,3,2,0,0,0,0"))


def test_a_short_row_is_named(table: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="line 2"):
        load_ferplus(table("4,0,0"))


def test_missing_columns_are_named(table: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="no column contempt, NF; FER"):
        load_ferplus(table(header=HEADER.replace("contempt,", "").replace(",NF", "")))
    with pytest.raises(DataError, match="no column neutral"):
        load_ferplus(table(header=""))


def test_no_rows_no_votes(table: Callable[..., Path]) -> None:
    assert load_ferplus(table()).distribution.shape == (0, 7)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        load_ferplus(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match=r"fer2013new\.csv"):
        load_ferplus(tmp_path / "none.csv")


@pytest.mark.data
def test_the_published_table(data_root: Path) -> None:
    path = data_root / "fer2013" / "fer2013new.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    votes = load_ferplus(path)
    assert votes.distribution.shape == (35_887, 7)
    assert votes.not_a_face.sum() == 177
    totals = votes.distribution.sum(axis=1)
    assert np.isclose(totals, 0).sum() + np.isclose(totals, 1).sum() == 35_887
