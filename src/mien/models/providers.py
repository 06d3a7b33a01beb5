"""What ONNX Runtime computes on: its execution providers, by its own names or short ones."""

from __future__ import annotations

from mien.errors import InputError, UnknownName
from mien.models.onnx_runtime import onnx_runtime

SHORT_NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "dml": "DmlExecutionProvider",
}
"""What people say for the providers that they mostly mean."""


_BUILDS = {
    "cuda": "install onnxruntime-gpu in place of onnxruntime",
    "dml": "install onnxruntime-directml in place of onnxruntime, on Windows",
    "coreml": "run it on a Mac",
}
_REMOTE = "AzureExecutionProvider"  # sends what it is given to a server, and no frame leaves the machine


def available_providers() -> tuple[str, ...]:
    """The providers of the ONNX Runtime that is installed here and compute on this machine, by its own names."""
    return tuple(name for name in onnx_runtime().get_available_providers() if name != _REMOTE)


def short_name(provider: str) -> str:
    """The short name of a provider, or its own where it has none."""
    return next((short for short, name in SHORT_NAMES.items() if name == provider), provider)


def provider_named(name: str) -> str:
    """The provider that a name means, in any case.

    Raises:
        InputError: the ONNX Runtime that is installed here does not have it; the sentence lists what it has.
        UnknownName: nothing is called so.
    """
    there = available_providers()
    wanted = SHORT_NAMES.get(name.casefold(), name)
    found = next((provider for provider in there if provider.casefold() == wanted.casefold()), None)
    if found is not None:
        return found
    has = [short_name(provider) for provider in there]
    if short_name(wanted) in _BUILDS:
        raise InputError(
            f"The ONNX Runtime that is installed here cannot compute on {short_name(wanted)}: it has {', '.join(has)}; "
            f"take one of these, or {_BUILDS[short_name(wanted)]}."
        )
    raise UnknownName("provider", name, has)
