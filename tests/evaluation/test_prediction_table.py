from __future__ import annotations

import gzip
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from mien.errors import DataError, InputError, MienError, UnknownName, UnreadableMedia
from mien.evaluation.metrics import NO_ANSWER
from mien.evaluation.prediction_table import PredictionTable, in_order_of, read_predictions, write_predictions
from mien.labels import EMOTIONS, LabelSet

THREE = LabelSet("three", ("happy", "sad", "fear"))


def read(tmp_path: Path, text: str, labels: LabelSet = THREE) -> PredictionTable:
    path = tmp_path / "answers.csv"
    path.write_text(text, "utf-8")
    return read_predictions(path, label_set=labels)


@pytest.mark.parametrize("with_probabilities", [True, False])
def test_what_is_written_is_read_again(tmp_path: Path, with_probabilities: bool) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(7), 20)
    p[3] = 1 / 7
    predicted = p.argmax(axis=1)
    predicted[3] = NO_ANSWER
    made = PredictionTable(
        labels=EMOTIONS.labels,
        predicted=predicted,
        probabilities=p if with_probabilities else None,
        names=np.array([f'a, "{i}"' for i in range(20)]),
        true=np.array(EMOTIONS.labels)[predicted],
    )
    write_predictions(tmp_path / "p.csv", made)
    again = read_predictions(tmp_path / "p.csv", label_set=EMOTIONS)
    assert again.labels == made.labels
    assert (again.predicted == predicted).all()
    assert again.names is not None
    assert made.names is not None
    assert (again.names == made.names).all()
    assert again.true is not None
    if with_probabilities:
        assert again.probabilities is not None
        np.testing.assert_allclose(again.probabilities, p, atol=2e-6)
    else:
        assert again.probabilities is None


def test_columns_in_any_order_and_other_words_for_the_labels(tmp_path: Path) -> None:
    answers = read(tmp_path, "Sadness,name,Happiness,FEAR\n0.2,b,0.7,0.1\n0.5,a,0.2,0.3\n")
    assert answers.labels == ("sad", "happy", "fear")
    assert answers.predicted.tolist() == [1, 0]
    assert answers.names is not None
    assert answers.names.tolist() == ["b", "a"]


def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\nname;predicted\na;fear\n", EMOTIONS).predicted.tolist() == [2]


def test_columns_in_chinese(tmp_path: Path) -> None:
    assert read(tmp_path, "悲伤,高兴,恐惧\n0.2,0.7,0.1\n").labels == ("sad", "happy", "fear")


def test_rounded_probabilities_are_scaled_to_one(tmp_path: Path) -> None:
    answers = read(tmp_path, "happy,sad,fear\n0.33,0.33,0.33\n")
    assert answers.probabilities is not None
    assert answers.probabilities.sum() == pytest.approx(1)


def test_a_tie_is_for_the_writer_to_decide(tmp_path: Path) -> None:
    answers = read(tmp_path, "predicted,happy,sad,fear\nsad,0.45,0.45,0.1\n")
    assert answers.predicted.tolist() == [1]


def test_rows_without_an_answer(tmp_path: Path) -> None:
    answers = read(tmp_path, "name,happy,sad,fear\na,,,\nb,0,1,0\n")
    assert answers.predicted.tolist() == [NO_ANSWER, 1]
    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.probabilities[0], 1 / 3)
    assert read(tmp_path, "name,predicted\na,\nb,sad\n").predicted.tolist() == [NO_ANSWER, 1]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("hapy,sad\n0.5,0.5\n", UnknownName, "Did you mean 'happy'"),
        ("predicted\nhapy\n", UnknownName, "^There is no label or column of predictions 'hapy'; available: .* 'happy'"),
        ("predicted,happy,sad\nsad,0.9,0.1\n", DataError, "row 1: predicted is 'sad', but"),
        ("name,true,happy,sad\na,hapy,0.9,0.1\n", UnknownName, "^There is no label or column of predictions 'hapy'"),
        ("happy,sad\n0.5,0.6\n", DataError, r"row 1.*sum to 1\.1"),
        ("happy,sad\n50,50\n", DataError, "divide percentages by 100"),
        ("happy,sad\n1.2,-0.2\n", DataError, "row 1"),
        ("happy,sad\n0.5,nan\n", DataError, "row 1"),
        ("happy,sad\n0.5,x\n", DataError, "a probability must be a number, got 0.5, x"),
        ("happy,sad\n0.5,\n", DataError, "row 1"),
        ("predicted,happy,sad\nsad,0.9,0.1\n", DataError, "not the highest"),
        ("predicted,happy,sad\nsad,,\n", DataError, "not the highest"),
        ("happy,happiness\n0.5,0.5\n", DataError, "two columns"),
        ("name\na\n", DataError, "no answers"),
        ("happy,sad\n", DataError, "no rows"),
        ("", DataError, "no rows"),
        ("happy,sad\n0.5,0.5,0\n", DataError, "row 1 has 3 cells"),
    ],
)
def test_what_is_no_prediction_is_named(tmp_path: Path, text: str, kind: type[MienError], words: str) -> None:
    with pytest.raises(kind, match=words):
        read(tmp_path, text)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="cannot be read"):
        read_predictions(tmp_path / "none.csv", label_set=THREE)
    (tmp_path / "b.csv").write_bytes(b"predicted\nhappy\xff\x80\n")
    with pytest.raises(UnreadableMedia, match="cannot be read as a CSV of predictions"):
        read_predictions(tmp_path / "b.csv", label_set=THREE)
    with pytest.raises(UnreadableMedia, match="cannot be read: Is a directory"):
        read_predictions(tmp_path, label_set=THREE)


def test_text_may_be_packed_or_as_a_spreadsheet_program_saves_it(tmp_path: Path) -> None:
    text = 'name,predicted\n"a, and\nb",happy\nc,sad\n'
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "b.csv").write_bytes(text.replace(",", ";").replace("a;", "a,").encode("utf-16"))
    for name in ("a.csv.gz", "b.csv"):
        found = read_predictions(tmp_path / name, label_set=THREE)
        assert found.names is not None
        assert found.names.tolist() == ["a, and\nb", "c"]


def test_rows_are_found_by_name_or_taken_in_order(tmp_path: Path) -> None:
    names, true = np.array(["a", "b"]), np.array(["happy", "sad"])
    named = read(tmp_path, "name,predicted\nc,fear\nb,sad\na,happy\n")
    assert in_order_of(named, names, true).tolist() == [2, 1]
    assert in_order_of(read(tmp_path, "predicted\nsad\nfear\n"), names, true).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("predicted\nsad\n", "has 1 row, the split has 2 samples"),
        ("name,predicted\na,sad\n", "no row for 1 of 2 samples"),
        ("name,predicted\na,sad\na,sad\nb,sad\n", "names a sample twice"),
        ("true,predicted\nhappy,sad\nfear,sad\n", "'b' is fear, the data set says sad"),
    ],
)
def test_rows_that_are_not_the_splits(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        in_order_of(read(tmp_path, text), np.array(["a", "b"]), np.array(["happy", "sad"]))


GERMAN = LabelSet("custom", ("Ekel", "Freude", "Müde", "Wut"))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("header", ["name,predicted", "Name; Predicted", "\ufeffname\tpredicted"])
def test_answers_are_called_as_the_data_set_calls_its_classes(tmp_path: Path, form: str, header: str) -> None:
    separator = next(letter for letter in ",;\t" if letter in header)
    answers = dict(zip(GERMAN.labels, ("Ekel", "FREUDE", "müde", "Ekel"), strict=True))
    rows = [f"{word}/1.jpg{separator}{answer}" for word, answer in answers.items()]
    text = unicodedata.normalize(form, "\n".join([header, *rows, ""]))
    predictions = read(tmp_path, text, GERMAN)
    assert [predictions.labels[i] for i in predictions.predicted] == ["Ekel", "Freude", "Müde", "Ekel"]
    names = np.array([f"{word}/1.jpg" for word in GERMAN.labels])
    assert in_order_of(predictions, names, np.array(GERMAN.labels)).tolist() == [0, 1, 2, 3]


def test_columns_with_capitals_are_labels_too(tmp_path: Path) -> None:
    predictions = read(tmp_path, "Wut,Freude,MÜDE,Ekel\n0.1,0.7,0.1,0.1\n", GERMAN)
    assert set(predictions.labels) == set(GERMAN.labels)
    assert predictions.labels[predictions.predicted[0]] == "Freude"


def test_the_data_sets_own_spelling_counts_before_the_packages(tmp_path: Path) -> None:
    own = LabelSet("custom", ("Happy", "bored"))
    predictions = read(tmp_path, "predicted\nhappy\nbored\n", own)
    assert [predictions.labels[i] for i in predictions.predicted] == ["Happy", "bored"]


def test_a_name_that_is_no_text_is_written_and_found_again(tmp_path: Path) -> None:
    names = np.array(["a.png", os.fsdecode(b"caf\xe9.png")])
    table = PredictionTable(labels=EMOTIONS.labels, predicted=np.array([1, 0]), probabilities=None, names=names)
    write_predictions(tmp_path / "p.csv", table)
    read = read_predictions(tmp_path / "p.csv", label_set=EMOTIONS)
    assert read.names is not None
    assert list(read.names) == ["a.png", "caf\\udce9.png"]
    assert list(in_order_of(read, names[::-1], np.array(["", ""]))) == [1, 0]
