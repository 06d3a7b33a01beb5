"""ONNX Runtime, which reports to its maker unless told not to before it is imported: the one door that imports it."""

from __future__ import annotations

from typing import Any

from mien.environment import no_telemetry


def onnx_runtime() -> Any:
    """The module onnxruntime, imported with its telemetry off; 0.1 s, paid only by those who run a model."""
    no_telemetry()
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # what the variable is on Linux this is on Windows
    return onnxruntime


def quantization() -> Any:
    """The module onnxruntime.quantization, with `shape_inference` in it; needs the package onnx."""
    onnx_runtime()
    import onnxruntime.quantization
    import onnxruntime.quantization.shape_inference

    return onnxruntime.quantization
