from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

from mien import errors
from mien.errors import (
    InvalidOption,
    MienError,
    MissingExtra,
    RecipeError,
    RefusedOutput,
    UnknownName,
    UnreadableMedia,
)

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def _drawn_tree() -> dict[str, str]:
    """Child to parent, from the drawing at the top of the module."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        bare = line.lstrip("│├└─ ")
        if not bare or not bare[0].isupper() or not bare.split()[0].isalpha():
            continue
        name, depth = bare.split()[0], (len(line) - len(bare)) // 4
        if not hasattr(errors, name):
            continue
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    return parents


def test_the_tree_is_as_drawn() -> None:
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in ALL if kind is not MienError}
    assert _drawn_tree() == real


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_one_base_and_an_exit_code(kind: type[MienError]) -> None:
    assert issubclass(kind, MienError)
    assert kind.exit_code == (2 if kind in (UnknownName, InvalidOption, RecipeError, RefusedOutput) else 1)


def test_an_unknown_name_lists_what_there_is() -> None:
    error = UnknownName("task", "emotoin", iter(["emotion", "gesture"]))
    assert str(error) == "There is no task 'emotoin'; available: emotion, gesture. Did you mean 'emotion'?"
    assert (error.kind, error.name, error.valid) == ("task", "emotoin", ("emotion", "gesture"))


def test_nothing_near_gives_no_hint() -> None:
    assert str(UnknownName("task", "xyz", ["emotion"])) == "There is no task 'xyz'; available: emotion."
    assert str(UnknownName("model", "xyz", [])) == "There is no model 'xyz'; available: none."


def test_strings_of_numpy_are_shown_as_strings() -> None:
    error = UnknownName("label", np.str_("hapy"), np.array(["happy", "sad"]))
    assert str(error) == "There is no label 'hapy'; available: happy, sad. Did you mean 'happy'?"


def test_a_missing_extra_says_what_to_run() -> None:
    error = MissingExtra("train", "torch")
    assert error.extra == "train"
    assert str(error) == "This needs torch, which is not installed; run: pip install 'mien[train]'"


@pytest.mark.parametrize(
    "error",
    [UnknownName("task", "x", ["emotion"]), MissingExtra("train", "torch"), UnreadableMedia("a.jpg is empty")],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel_between_processes(error: MienError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)
