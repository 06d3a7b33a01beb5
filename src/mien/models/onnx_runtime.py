"""The only module that imports ONNX Runtime, which reports to its maker unless told not to before the import."""

from __future__ import annotations

from typing import Any

from mien.environment import no_telemetry


def onnx_runtime() -> Any:
    """The module onnxruntime, imported with its telemetry off; 0.1 s, paid only when a model runs."""
    no_telemetry()
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows; the variable does the same on Linux
    return onnxruntime


def quantization() -> Any:
    """The module onnxruntime.quantization, with `shape_inference` in it; needs the package onnx."""
    onnx_runtime()
    import onnxruntime.quantization
    import onnxruntime.quantization.shape_inference

    return onnxruntime.quantization
