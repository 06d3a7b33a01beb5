"""Errors as clients get them: problem details (RFC 9457) with the sentences of the command line, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mien.errors import InputError, MienError, MissingExtra
from mien.wording import json_text

MEDIA_TYPE = "application/problem+json"

_RETRY_S = 1
_LONGEST = 100

_log = logging.getLogger(__name__)


class Problem(MienError):
    """A request that is refused.

    Args:
        status: of the HTTP response.
        detail: what was expected, what came, what to do.
        headers: further headers of the response.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.detail, self.headers = status, detail, dict(headers or {})
        super().__init__(detail)


def busy(what: str) -> Problem:
    """Refuses what is too much at the same time."""
    return Problem(503, f"{what}; try again in a moment.", {"Retry-After": str(_RETRY_S)})


def problem_of(error: Exception) -> Problem:
    """What a client is told about an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, MissingExtra):
        return Problem(501, str(error))
    if isinstance(error, InputError):
        return Problem(422, str(error))
    if isinstance(error, MienError):
        _log.error("%s", error)
        return Problem(500, str(error))
    _log.error("An error in mien itself:", exc_info=error)
    return Problem(500, "mien failed here; its log says why.")


def problem_dict(problem: Problem) -> dict[str, Any]:
    """The problem as JSON data."""
    title = HTTPStatus(problem.status).phrase
    return {"type": "about:blank", "title": title, "status": problem.status, "detail": problem.detail}


def problem_response(problem: Problem) -> Response:
    """The problem as a response."""
    return Response(
        json_text(problem_dict(problem)),
        status_code=problem.status,
        headers=problem.headers,
        media_type=MEDIA_TYPE,
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of an application become a problem."""

    async def of_error(_: Request, error: Exception) -> Response:
        return problem_response(problem_of(error))

    async def of_http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        path, method = request.url.path[:_LONGEST], request.method[:20]
        sentences = {
            404: f"There is nothing at {path}; /v1/openapi.json lists what there is.",
            405: f"{path} does not take {method}; /v1/openapi.json says what it takes.",
        }
        detail = sentences.get(error.status_code, str(error.detail))
        return problem_response(Problem(error.status_code, detail, error.headers))

    async def of_request(_: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return problem_response(Problem(422, _sentence(error)))

    app.add_exception_handler(MienError, of_error)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_request)
    app.add_exception_handler(Exception, of_error)


def _sentence(error: RequestValidationError) -> str:
    wrong = error.errors()[0]
    where = ".".join(str(part) for part in wrong["loc"][1:]) or "request"
    what = str(wrong["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    given = repr(wrong.get("input"))
    short = given if len(given) <= _LONGEST else f"{given[: _LONGEST - 1]}…"
    return f"{where} {what[:1].lower()}{what[1:]}, got {short}."
