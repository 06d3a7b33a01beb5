"""What the verbs of `mien data` print: counts, caveats, and problems as they occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType

import typer

from mien.cli.console.options import print_note
from mien.cli.console.reading import fitted_lines
from mien.data.dataset import Dataset
from mien.errors import MienError, UnknownName
from mien.words import again, listed, say, words

_SHOWN = 20


class Problems:
    """Prints each problem on stderr: the first twenty in full, the rest as a count at the end of a `with` block.

    If the block ends without an exception but there were problems, the verb ends with exit code 1.

    Args:
        what: the thing a problem affects, e.g. `row`: one of those under `more_problems` in the words.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0

    def __call__(self, problem: MienError) -> None:
        """Take the next problem."""
        self.count += 1
        if self.count <= _SHOWN:
            print_note(problem)

    def __enter__(self) -> Problems:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.count > _SHOWN:
            more = self.count - _SHOWN
            print_note(say(f"more_problems.{self.what}", n=more))
        if self.count and error is None:
            raise typer.Exit(1)


def one_of(kind: str, name: str, valid: Sequence[str]) -> str:
    """The name if it is valid; otherwise UnknownName."""
    if name not in valid:
        raise UnknownName(kind, name, valid)
    return name


def numbers(text: str, option: str, kind: Callable[[str], float], valid: Callable[[float], bool]) -> list[float]:
    """One number, or two separated by a comma."""
    try:
        values = [kind(word) for word in text.split(",")]
    except ValueError as exc:
        raise typer.BadParameter(
            f"{text!r} must be one number, or two separated by a comma", param_hint=option
        ) from exc
    if len(values) > 2 or not all(map(valid, values)):
        raise typer.BadParameter(f"{text!r} must be one number in the allowed range, or two", param_hint=option)
    return values


def fractions_of(text: str) -> tuple[float, float]:
    """The share for test and, of the rest, the share for validation; a single number is used for both."""
    values = numbers(text, "--fractions", float, lambda share: 0 <= share < 1)
    return values[0], values[-1]


def seeds_of(text: str) -> list[int]:
    """Seeds for drawing the test and the validation split; a single number is used for both."""
    return [int(seed) for seed in numbers(text, "--seed", int, lambda seed: 0 <= seed < 2**32)]


def reasons(left_out: Counter[str]) -> str:
    """Why something was left out, and how often, the most frequent first: "no face 3, repeated 2"."""
    name = words().label
    return listed(say("data.reason", reason=name("reason", why), n=n) for why, n in left_out.most_common())


def say_counts(dataset: Dataset) -> None:
    """Print the number of samples by class and split."""
    counts = dataset.counts()
    rows: list[list[object]] = []
    for label in dataset.label_set.labels:
        values = [counts[split][label] for split in counts]
        rows.append([label, *values, sum(values)])
    rows.append([say("data.all"), *(sum(counts[split].values()) for split in counts), len(dataset)])
    for line in fitted_lines([say("data.heading_class"), *counts, say("data.all")], rows, indent=2):
        typer.echo(line)


def say_caveats(dataset: Dataset) -> None:
    """Print what readers of figures on this data set must know."""
    for caveat in dataset.caveats:
        typer.echo(say("data.caveat", caveat=again(caveat)))
