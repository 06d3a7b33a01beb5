"""Running a model folder with ONNX Runtime.

One session, one network. Threads do not spin while waiting: several sessions share the same cores, and spinning
pools would steal time from one another (19 to 24 ms instead of 11 for the hand pipeline on 2 cores).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.models.artifact import Artifact
from mien.models.onnx_runtime import one_arena, onnx_runtime
from mien.models.providers import SHORT_NAMES, provider_named, short_name
from mien.resource import Resource, usable_threads

Batch: TypeAlias = NDArray[np.float32]
Outputs: TypeAlias = tuple[NDArray[np.float32], ...]

_CPU = SHORT_NAMES["cpu"]
_MAX_BATCH = 32


class Network(Protocol):
    """What a stage needs from a model: `Session` at run time, `FakeSession` in tests."""

    @property
    def artifact(self) -> Artifact: ...

    def run(self, batch: Batch) -> Outputs: ...

    def close(self) -> None: ...


class Session(Resource):
    """A loaded model.

    Args:
        artifact: the checked model folder.
        weights: an ONNX file in memory, run in place of the folder's, e.g. before there is a folder.
        threads: how many threads compute; by default the cores available to this process, 4 at most.
        provider: what computes, by ONNX Runtime's name or a short one (see `mien.models.providers`); the CPU computes
            what it cannot.

    Raises:
        ModelError: ONNX Runtime cannot load the model, or start the provider.
        UnknownName: the provider is unknown or not installed.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        weights: bytes | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.artifact = artifact
        self._session: Any = _open(artifact, weights, threads or usable_threads(), provider_named(provider))
        entry = self._session.get_inputs()[0]
        self._input_name: str = entry.name
        # A side that the model leaves free has a name instead of a number.
        self._item_shape = tuple(side if isinstance(side, int) else None for side in entry.shape[1:])
        fixed = isinstance(entry.shape[0], int)
        self._step: int = entry.shape[0] if fixed else _MAX_BATCH
        self._output_shapes = [
            tuple(side if isinstance(side, int) else 0 for side in output.shape[1:])
            for output in self._session.get_outputs()
        ]
        if fixed and self._step != 1:
            self.close()
            raise ModelError(
                f"The model of {artifact.folder} has a fixed batch size of {self._step}; export it with a "
                "batch size of 1 or a free one."
            )

    def run(self, batch: Batch) -> Outputs:
        """Compute the outputs for any number of items.

        Args:
            batch: (N, ...) float32, normalised as the manifest's input says; of any height and width where the model
                leaves them free.

        Returns:
            The model's outputs in its order, each with N rows, float32; without items, sides that the model leaves free
            are 0.
        """
        if self._session is None:
            raise ModelError(f"The model {self.artifact.manifest.name} has been closed; open what used it anew.")
        fits = batch.ndim == 1 + len(self._item_shape) and all(
            wanted in (None, side) for side, wanted in zip(batch.shape[1:], self._item_shape, strict=True)
        )
        if batch.dtype != np.float32 or not fits:
            raise ModelError(
                f"The model {self.artifact.manifest.name} takes float32 batches of items {_shape(self._item_shape)}, "
                f"got {batch.dtype} {batch.shape}; prepare the batch with its manifest's input."
            )
        if not len(batch):
            return tuple(np.zeros((0, *shape), np.float32) for shape in self._output_shapes)
        parts = [self._run(batch[i : i + self._step]) for i in range(0, len(batch), self._step)]
        return parts[0] if len(parts) == 1 else tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def close(self) -> None:
        """Free the model; closing twice is allowed."""
        self._session = None

    def _run(self, batch: Batch) -> Outputs:
        try:
            outputs = self._session.run(None, {self._input_name: np.ascontiguousarray(batch)})
        except Exception as exc:  # ONNX Runtime's errors share no base but Exception
            raise ModelError(f"The model {self.artifact.manifest.name} failed: {_first_line(exc)}") from exc
        return tuple(np.asarray(output, np.float32) for output in outputs)


class FakeSession:
    """A network for tests: answers with a function and remembers the batches.

    Args:
        artifact: the artifact whose manifest the stage reads.
        answer: gives the outputs for a batch.
    """

    def __init__(self, artifact: Artifact, answer: Callable[[Batch], Outputs]) -> None:
        self.artifact = artifact
        self.batches: list[Batch] = []
        self.closed = False
        self._answer = answer

    def run(self, batch: Batch) -> Outputs:
        """Remember the batch and answer it."""
        if self.closed:
            raise ModelError(f"The model {self.artifact.manifest.name} has been closed; open what used it anew.")
        self.batches.append(batch)
        return self._answer(batch)

    def close(self) -> None:
        self.closed = True


def _open(artifact: Artifact, weights: bytes | None, threads: int, provider: str) -> Any:
    ort = onnx_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings would go straight to the user's stderr
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.enable_mem_pattern = False  # for inputs of one size; it keeps memory for every size that came
    one_arena()
    try:
        # Without its fallback, which would print to stdout and compute elsewhere than was asked.
        session = ort.InferenceSession(
            weights or str(artifact.model_path),
            options,
            providers=list(dict.fromkeys((provider, _CPU))),
            enable_fallback=0,
        )
    except Exception as exc:  # ONNX Runtime's errors share no base but Exception
        raise ModelError(
            f"The model of {artifact.folder} cannot be loaded: {_first_line(exc)}; export or install the model again."
        ) from exc
    if provider not in session.get_providers():
        raise ModelError(
            f"ONNX Runtime has the provider {short_name(provider)} but cannot start it here; check its driver and "
            "libraries, or take another provider: `mien doctor` lists them."
        )
    return session


def _shape(sides: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if side is None else str(side) for side in sides)})"


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:300]
