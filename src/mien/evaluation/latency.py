"""How long networks take, measured side by side: one after another in each round, so that other load on the machine
affects all of them alike. Medians within one run can be compared; those of different runs or machines cannot.

Processor time is used if the system counts it finely enough: a busy machine makes networks wait, but does not make
them compute more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.evaluated_model import prepared
from mien.models.artifact import load_artifact
from mien.models.session import Session
from mien.resource import Resource

BATCHES = (1, 32)
"""Numbers of faces per call."""

_WARM_UP = 3
_FINE = 1e-4  # seconds; Windows counts a thread's processor time in steps of 16 ms
_COUNTED = time.get_clock_info("thread_time").resolution <= _FINE

CLOCK = "processor time" if _COUNTED else "wall clock time"
"""What is measured here, in words."""


class TimedModel(Resource):
    """A model folder on one thread, with faces prepared for it.

    Args:
        model: folder, or name of a model in the package.
        samples: (N, H, W[, 3]) uint8 faces; repeated if there are fewer than 32.
    """

    def __init__(self, model: str, samples: NDArray[Any]) -> None:
        artifact = load_artifact(model)
        self._batch = prepared(samples[np.arange(max(BATCHES)) % len(samples)], artifact.manifest.input)
        self._session = Session(artifact, threads=1)

    def __call__(self, faces: int) -> float:
        """Milliseconds per face that the network takes for this many at once, without preparation."""
        batch = self._batch[:faces]
        clock = time.thread_time if _COUNTED else time.perf_counter  # a session of one thread computes in this one
        started = clock()
        self._session.run(batch)
        return (clock() - started) * 1000 / faces

    def close(self) -> None:
        """Free the model."""
        self._session.close()


def median_times(
    models: Mapping[str, Callable[[int], float]],
    *,
    rounds: int,
    batches: Sequence[int] = BATCHES,
    on_step: Callable[[int], None] | None = None,
) -> dict[str, tuple[float, ...]]:
    """Median milliseconds per face, by model, one for each batch size.

    Args:
        models: each takes a number of faces and returns the milliseconds per face.
        rounds: in each round, every model runs once for every batch size.
        batches: numbers of faces per call.
        on_step: called with the number of rounds done.
    """
    taken: dict[str, list[list[float]]] = {name: [] for name in models}
    for done in range(-_WARM_UP, rounds):
        for name, ask in models.items():
            times = [ask(faces) for faces in batches]
            if done >= 0:
                taken[name].append(times)
        if on_step is not None and done >= 0:
            on_step(done + 1)
    return {name: tuple(float(median) for median in np.median(times, axis=0)) for name, times in taken.items()}
