from __future__ import annotations

from types import SimpleNamespace

import pytest

from mien.errors import InputError, ModelError, UnknownName
from mien.models import providers, session
from mien.models.artifact import zoo_artifact
from mien.models.providers import available_providers, provider_named, short_name
from mien.models.session import Session

HERE = ["CUDAExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider", "XnnpackExecutionProvider"]


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX Runtime with a GPU in it."""
    monkeypatch.setattr(providers, "onnx_runtime", lambda: SimpleNamespace(get_available_providers=lambda: list(HERE)))


@pytest.mark.usefixtures("with_gpu")
def test_providers_go_by_their_own_names_and_short_ones_in_any_case() -> None:
    for name in ("cuda", "CUDA", "CUDAExecutionProvider", "cudaexecutionprovider"):
        assert provider_named(name) == "CUDAExecutionProvider"
    assert provider_named("XnnpackExecutionProvider") == "XnnpackExecutionProvider"
    assert [short_name(name) for name in available_providers()] == ["cuda", "cpu", "XnnpackExecutionProvider"]


@pytest.mark.usefixtures("with_gpu")
def test_a_provider_that_sends_pictures_away_is_not_offered() -> None:
    with pytest.raises(UnknownName):
        provider_named("AzureExecutionProvider")


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize("name", ["tpu", "OpenVINOExecutionProvider", ""])
def test_an_unknown_one_is_refused_and_those_here_are_listed(name: str) -> None:
    with pytest.raises(UnknownName, match=r"There is no provider .*; available: cuda, cpu, XnnpackExecutionProvider"):
        provider_named(name)


@pytest.mark.usefixtures("with_gpu")
@pytest.mark.parametrize("name", ["coreml", "CoreMLExecutionProvider", "dml"])
def test_one_that_this_build_lacks_is_refused_with_what_it_has_and_the_cure(name: str) -> None:
    with pytest.raises(InputError, match=r"cannot compute on (coreml|dml): it has cuda, cpu, Xnn.*; take one .* or "):
        provider_named(name)


def test_the_cpu_is_always_there_and_computes() -> None:
    assert provider_named("cpu") in available_providers()
    with Session(zoo_artifact("face_centerface"), threads=1, provider="CPUExecutionProvider") as found:
        assert found._session.get_providers() == ["CPUExecutionProvider"]


def test_one_that_cannot_be_started_is_an_error_and_not_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime goes on with the CPU, and says so on its log only."""
    asked: list[list[str]] = []

    class Runtime:
        SessionOptions = session.onnx_runtime().SessionOptions

        @staticmethod
        def InferenceSession(*_: object, providers: list[str], enable_fallback: int) -> object:  # noqa: N802
            asked.append(providers)
            assert not enable_fallback
            return SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])

    monkeypatch.setattr(session, "onnx_runtime", lambda: Runtime)
    monkeypatch.setattr(session, "provider_named", lambda _: "CUDAExecutionProvider")
    with pytest.raises(ModelError, match="provider cuda but cannot start it here"):
        Session(zoo_artifact("face_centerface"), provider="cuda")
    assert asked == [["CUDAExecutionProvider", "CPUExecutionProvider"]]
