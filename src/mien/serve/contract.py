"""The JSON that clients get, as OpenAPI describes it: records have the keys of `mien look --jsonl`, maybe more."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mien.serve.problems import MEDIA_TYPE

_Task = Literal["emotion", "gesture"]
_Share = Field(ge=0, le=1)


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class ModelRecord(_Open):
    """Which model answered."""

    name: str
    version: str
    threshold: float = _Share
    sha256: str
    detector: str | None = None


class PredictionRecord(_Open):
    """What a crop of a face or a hand shows."""

    label: str
    confidence: float = _Share
    uncertain: bool
    scores: dict[str, float]


class FaceRecord(PredictionRecord):
    """A face; `box` is left, top, right, bottom in pixels of the upright picture."""

    track: int | None
    box: list[float] = Field(min_length=4, max_length=4)
    score: float = _Share


class HandRecord(FaceRecord):
    """A hand; `landmarks` are 21 points x, y, z."""

    side: Literal["left", "right"]
    landmarks: list[list[float]] = Field(min_length=21, max_length=21)


class SceneRecord(_Open):
    """What is in one picture; `size` is height and width."""

    source: str
    frame: int = Field(ge=0)
    time_s: float
    size: list[int] = Field(min_length=2, max_length=2)
    faces: list[FaceRecord]
    hands: list[HandRecord]
    models: dict[str, ModelRecord]


class CropRecord(PredictionRecord):
    """What a crop shows, and which model says so."""

    source: str
    model: ModelRecord


class ProblemRecord(_Open):
    """An error (RFC 9457); `detail` says what was expected, what came, and what to do."""

    type: str
    title: str
    status: int
    detail: str


class JobRecord(_Open):
    """A video that is looked at; `frames` is how many are done, `of` how many there are, if known."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    name: str
    format: Literal["jsonl", "parquet"]
    frames: int
    of: int | None
    problem: str | None
    expires_in_s: float | None


class HealthRecord(_Open):
    """Whether the server answers, and whether its models are in memory."""

    status: Literal["ok"]
    version: str
    models_loaded: bool


class LabelRecord(BaseModel):
    """A label, the word that people see for it, and its colour."""

    name: str
    word: str
    colour: str


class TaskRecord(BaseModel):
    """What a task can answer."""

    model: str
    threshold: float
    labels: list[LabelRecord]


class ListedModel(BaseModel):
    """A model of the package."""

    name: str
    version: str
    task: str
    licence: str
    megabytes: float


class ModelsRecord(BaseModel):
    """The tasks with the models that answer here, and all models of the package.

    `baseline_s` is how many calm seconds a page asks for to learn neutral faces; null where no answer is neutral.
    `picture_bytes` and `video_bytes` are the largest that are taken.
    """

    tasks: dict[_Task, TaskRecord]
    models: list[ListedModel]
    watch: bool
    language: str
    baseline_s: float | None
    picture_bytes: int
    video_bytes: int


class CardRecord(BaseModel):
    """A model card, in Markdown."""

    name: str
    card: str


_ERRORS = {
    400: "The body is empty or cannot be read as a form.",
    401: "The token is missing or wrong.",
    403: "The page that asks is of another origin.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "It is not there yet.",
    413: "The body or the picture is too large.",
    415: "The body is of a type that is not taken.",
    421: "The Host header names another machine.",
    422: "The picture or a parameter cannot be used.",
    501: "A part of mien that this needs is not installed.",
    503: "There is too much work; try again after the seconds in Retry-After.",
    507: "The disk of the server is full.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of an operation that are problems, for OpenAPI."""
    schema = {"$ref": "#/components/schemas/ProblemRecord"}
    return {
        status: {"description": _ERRORS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in (401, 403, 421, *statuses)
    }


def picture_body() -> dict[str, Any]:
    """The request body of an operation that takes a picture, for OpenAPI."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {"type": "object", "properties": {"image": binary["schema"]}, "required": ["image"]}
    content = dict.fromkeys(("image/jpeg", "image/png", "image/webp", "application/octet-stream"), binary)
    return {"requestBody": {"required": True, "content": {**content, "multipart/form-data": {"schema": form}}}}


def video_body() -> dict[str, Any]:
    """The request body of an operation that takes a video, for OpenAPI."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = dict.fromkeys(("video/mp4", "video/webm", "application/octet-stream"), binary)
    return {"requestBody": {"required": True, "content": content}}
