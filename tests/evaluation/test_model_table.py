from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.evaluation.metrics import expected_calibration_error
from mien.evaluation.model_table import (
    ModelFacts,
    by_plurality,
    csv_text,
    markdown_text,
    model_row,
    ranked,
    table_header,
    table_rows,
)
from mien.evaluation.predictions import Predictions
from mien.labels import EMOTIONS_6

FACTS = ModelFacts(name="mine", kind="model", licence="MIT", parameters=1234567, bytes=7_900_000, ms_1=1.234, ms_32=0.5)


@pytest.fixture
def answers() -> Predictions:
    """Six samples of six labels, of which the first four are answered right; the raters know better about the last."""
    labels = np.arange(6)
    votes = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 4, 0]]
    votes[0] = 0
    p = np.full((6, 6), 0.05)
    p[np.arange(6), [0, 1, 2, 3, 0, 0]] = 0.75
    part = Dataset(
        samples=np.zeros((6, 4, 4), np.uint8), labels=labels, split=np.full(6, "test"), groups=np.full(6, ""),
        label_set=EMOTIONS_6, votes=votes,
    )  # fmt: skip
    return Predictions(part=part, left_out=2, predicted=p.argmax(axis=1), probabilities=p, notes=("A note.",))


def test_a_row_has_the_figures_of_the_answers(answers: Predictions) -> None:
    row = model_row(FACTS, answers)
    assert (row.samples, row.left_out) == (6, 2)
    assert row.accuracy == pytest.approx(4 / 6)
    assert row.macro_f1 == pytest.approx((0.5 + 3) / 6)
    assert row.ece == pytest.approx(expected_calibration_error(answers.probabilities, answers.part.labels))
    low, high = row.accuracy_95
    assert low < row.accuracy < high
    assert row.facts.notes == ("A note.",)


def test_labels_by_the_raters(answers: Predictions) -> None:
    judged = by_plurality(answers)
    assert judged.part.labels.tolist() == [1, 2, 3, 4, 0], "the first has no votes"
    assert model_row(FACTS, judged).accuracy == pytest.approx(4 / 5)


def test_no_votes_is_said(answers: Predictions) -> None:
    silent = replace(answers, part=replace(answers.part, votes=None))
    with pytest.raises(DataError, match="no FER"):
        by_plurality(silent)


def test_what_is_unknown_is_a_dash(answers: Predictions) -> None:
    known, unknown = table_rows(
        [
            model_row(FACTS, answers),
            model_row(ModelFacts(name="peer", kind="predictions"), replace(answers, probabilities=None)),
        ]
    )
    assert dict(zip(table_header(), known, strict=True)) == {
        "model": "mine", "accuracy": "66.67 %", "95 % interval": known[2], "macro F1": "0.583", "ECE": known[4],
        "parameters": "1,234,567", "size": "7.9 MB", "ms per face": "1.23", "32 at once": "0.50", "licence": "MIT",
    }  # fmt: skip
    assert unknown[4:] == ("-",) * 6


def test_a_temperature_of_the_same_split_is_said(answers: Predictions) -> None:
    flattered = replace(answers, temperature_from="fitted on this same split, which flatters the figures after it")
    assert "fitted on this same split" in model_row(FACTS, flattered).facts.notes[-1]
    honest = replace(answers, temperature_from="fitted on the validation split (9 samples)")
    assert model_row(FACTS, honest).facts.notes == ("A note.",)


def test_the_same_rows_as_csv_markdown_and_json(answers: Predictions) -> None:
    better = replace(answers, predicted=answers.part.labels, probabilities=None)
    rows = ranked([model_row(FACTS, answers), model_row(ModelFacts(name="best", kind="run"), better)])
    assert [row.facts.name for row in rows] == ["best", "mine"]
    best, mine = csv.DictReader(io.StringIO(csv_text(rows)))
    assert (best["ece"], best["parameters"], float(mine["accuracy"])) == ("", "", pytest.approx(4 / 6))
    assert float(mine["accuracy_low_95"]) < float(mine["accuracy"]) < float(mine["accuracy_high_95"])
    assert len(markdown_text(rows).splitlines()) == 4
    stored = json.loads(json.dumps(rows[1].to_dict()))
    assert stored["notes"] == ["A note."]
    assert stored["accuracy_95"] == list(rows[1].accuracy_95)
