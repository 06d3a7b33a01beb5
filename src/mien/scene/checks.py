"""What the value types check, and how they round what they write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

SCORE_DIGITS = 4
PIXEL_DIGITS = 2
TIME_DIGITS = 4


@contextmanager
def naming(kind: str) -> Iterator[None]:
    """Tell in a sentence what a record lacks to be of this kind."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"this is not {kind}: it has no {error}") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f"this is not {kind}: {error}") from error


def rounded(values: tuple[float, ...], digits: int) -> list[float]:
    """As records have them."""
    return [round(float(v), digits) for v in values]


def check_unit(name: str, value: float) -> None:
    """ValueError unless it lies between 0 and 1."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")


def check_track(track: int | None) -> None:
    """ValueError if it is below 1."""
    if track is not None and track < 1:
        raise ValueError(f"a track must be 1 or more, got {track}")
