"""The static page: its files are read once, and its words made; nothing that a client sends becomes a path."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from mien.serve.problems import Problem
from mien.serve.settings import ServeSettings
from mien.words import languages, words
from mien.words.texts import Text

_PAGE = Path(__file__).parent / "page"
_SHARED = ("name", "percent")
_SHARED_SECTIONS = ("join.", "plate.", "seen.", "emotion.", "gesture.")
_FORMAT = re.compile(r":[^{}]*\}")
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    kind: str
    tag: str


def page_routes(settings: ServeSettings) -> APIRouter:
    """`/` and `/page/...`."""
    found = {
        path.relative_to(_PAGE).as_posix(): _file(path.read_bytes(), path.suffix[1:])
        for path in _PAGE.rglob("*")
        if path.suffix[1:] in _TYPES
    }
    for tag in languages():
        found[f"words/{tag}.json"] = _file(json.dumps(page_words(tag), ensure_ascii=False).encode(), "json")
    found["words/languages.json"] = _file(json.dumps(languages()).encode(), "json")
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def index(request: Request) -> Response:
        return _answer(found["index.html"], request, settings)

    @router.get("/page/{name:path}")
    async def part(name: str, request: Request) -> Response:
        if name not in found:
            raise Problem(404, "The page has no such file.")
        return _answer(found[name], request, settings)

    return router


def page_words(tag: str) -> dict[str, Text]:
    """The texts of the page in a language: its own under their own keys, and those it shares under all of theirs.

    Formats are left out of the placeholders: `{n:,}` is `{n}`.
    """
    said = words(tag)
    shared = {key: text for key, text in said.texts.items() if key in _SHARED or key.startswith(_SHARED_SECTIONS)}
    return {key: _plain(text) for key, text in (said.below("page") | shared).items()}


def _plain(text: Text) -> Text:
    if isinstance(text, str):
        return _FORMAT.sub("}", text)
    if isinstance(text, list):
        return [_FORMAT.sub("}", one) for one in text]
    return {form: _FORMAT.sub("}", one) for form, one in text.items()}


def policy(host: str, origins: tuple[str, ...]) -> str:
    """The Content-Security-Policy: everything from this server, nothing from anywhere else.

    Args:
        host: the Host header, for browsers whose 'self' does not include WebSockets.
        origins: pages that may show this one in a frame.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "media-src 'self' blob:",
            f"connect-src 'self' ws://{host} wss://{host}",
            "base-uri 'none'",
            "form-action 'none'",
            " ".join(("frame-ancestors 'self'", *origins)),
        )
    )


def _answer(file: _File, request: Request, settings: ServeSettings) -> Response:
    headers = {
        "ETag": file.tag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy(request.headers.get("host", ""), settings.origins),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)


def _file(content: bytes, kind: str) -> _File:
    return _File(content, _TYPES[kind], f'"{hashlib.sha256(content).hexdigest()[:16]}"')
