"""The only module that imports ONNX Runtime, which reports to its maker unless told not to before the import."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from mien.environment import no_telemetry

logger = logging.getLogger(__name__)


def onnx_runtime() -> Any:
    """The module onnxruntime, imported with its telemetry off; 0.1 s, paid only when a model runs."""
    no_telemetry()
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows; the variable does the same on Linux
    return onnxruntime


@cache
def one_arena() -> None:
    """Lets sessions with `session.use_env_allocators` take their memory from one arena, which grows by what they need.

    Each session would otherwise have its own, in powers of two: 15 MB more for the models of this package.
    """
    ort = onnx_runtime()
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    by_what_is_asked = 1  # not by the next power of two
    try:
        ort.create_and_register_allocator(place, ort.OrtArenaCfg(0, by_what_is_asked, -1, -1))
    except RuntimeError:  # another part of the user's program has registered its own, which serves as well
        logger.debug("ONNX Runtime has an arena already", exc_info=True)


def quantization() -> Any:
    """The module onnxruntime.quantization, with `shape_inference` in it; needs the package onnx."""
    onnx_runtime()
    import onnxruntime.quantization
    import onnxruntime.quantization.shape_inference

    return onnxruntime.quantization
