"""Whatever fits or does not fit the description of the interface, the answers are those that it describes."""

from __future__ import annotations

import json
import os
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode as Mode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from mien.artwork.drawings import demo_frame
from mien.pixels.images import encode_image

EXAMPLES = int(os.environ.get("MIEN_EXAMPLES", "12"))
"""For each operation; the short form is for continuous integration."""


@pytest.fixture(scope="module")
def api(server: Any) -> Any:
    return schemathesis.openapi.from_url(f"{server.address}/v1/openapi.json")


UNSAYABLE = [ignored_auth, positive_data_acceptance]
"""No schema says that bytes are a picture, or that a token is needed only where one is set."""

OPERATIONS = [
    ("POST", "/v1/look"),
    ("POST", "/v1/classify/{task}"),
    ("POST", "/v1/look/video"),
    ("GET", "/v1/jobs/{id}"),
    ("DELETE", "/v1/jobs/{id}"),
    ("GET", "/v1/jobs/{id}/result"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name}"),
    ("GET", "/v1/health"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*operation, Mode.POSITIVE) for operation in OPERATIONS]
    + [(*operation, Mode.NEGATIVE) for operation in OPERATIONS if operation[0] == "POST"],
)
def test_every_answer_is_as_described(api: Any, method: str, path: str, mode: Mode) -> None:
    asked = 0

    @hypothesis.given(case=api[path][method].as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        database=None,
    )
    def check(case: Any) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(excluded_checks=UNSAYABLE, timeout=60)

    check()
    assert asked


def test_the_description_has_what_there_is(server: Any, photo: bytes) -> None:
    described = json.loads(server.ask("GET", "/v1/openapi.json")[2])
    assert {(method.upper(), path) for path, ways in described["paths"].items() for method in ways} == set(OPERATIONS)
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            problems = [status for status in operation["responses"] if status >= "400"]
            assert problems, (method, path)
            for status in problems:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def test_a_picture_fits_the_description_of_its_record(api: Any, photo: bytes) -> None:
    small = encode_image(demo_frame(60)[::2, ::2], ".jpg")
    for path, values in (("/v1/look", {}), ("/v1/classify/{task}", {"task": "gesture"})):
        case = api[path]["POST"].Case(body=small, media_type="application/octet-stream", path_parameters=values)
        answer = case.call()
        assert answer.status_code == 200
        case.validate_response(answer, excluded_checks=UNSAYABLE)
