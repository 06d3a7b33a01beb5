"""Pictures: what is in a photo, and what a crop of a face or hand shows."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from mien.labels import Task
from mien.pipeline import parse_tasks
from mien.pixels.images import encode_image
from mien.serve.bodies import decode_picture, picture_bytes
from mien.serve.contract import CropRecord, SceneRecord, errors, picture_body
from mien.serve.engine import Engine, Models
from mien.serve.metrics import Metrics
from mien.serve.settings import Limits
from mien.wording import json_text

JSON = "application/json"

LanguageQuery = Annotated[
    str, Query(description="Language of words and sentences, such as en or zh; unknown ones are those of the server.")
]

TaskQuery = Annotated[
    str,
    Query(
        description="emotion, gesture, or emotion,gesture for both.",
        json_schema_extra={"pattern": "^(emotion|gesture)(,(emotion|gesture))?$"},
    ),
]
NameQuery = Annotated[str, Query(max_length=200, description="What records call the source; not used as a path.")]


def look_routes(engine: Engine, limits: Limits, metrics: Metrics) -> APIRouter:
    """`/v1/look` and `/v1/classify/{task}`."""
    router = APIRouter(prefix="/v1", tags=["pictures"])

    @router.post(
        "/look",
        response_model=None,
        responses={
            200: {"model": SceneRecord, "content": {"image/jpeg": {}}, "description": "What is in the picture."},
            **errors(400, 408, 413, 415, 422, 503),
        },
        openapi_extra=picture_body(),
    )
    async def look(
        request: Request,
        task: TaskQuery = "emotion,gesture",
        annotated: Annotated[bool, Query(description="Answer with the picture, marked, as JPEG.")] = False,
        name: NameQuery = "",
    ) -> Response:
        """Find faces and hands in a photo; say which expressions and gestures they show."""
        tasks = parse_tasks(task)
        async with engine.admitted():
            data = await picture_bytes(request, limits)
            body = await engine.run(partial(_look, data, tasks, name, annotated, limits, metrics))
        return Response(body, media_type="image/jpeg" if annotated else JSON)

    @router.post(
        "/classify/{task}",
        response_model=None,
        responses={
            200: {"model": CropRecord, "description": "What the crop shows."},
            **errors(400, 408, 413, 415, 422, 503),
        },
        openapi_extra=picture_body(),
    )
    async def classify(request: Request, task: Task, name: NameQuery = "") -> Response:
        """Name the expression or gesture in a picture that is the face or hand itself."""
        async with engine.admitted():
            data = await picture_bytes(request, limits)
            record = await engine.run(partial(_classify, data, task, name, limits, metrics))
        return Response(json_text(record), media_type=JSON)

    return router


def _look(
    data: bytes, tasks: tuple[Task, ...], name: str, annotated: bool, limits: Limits, metrics: Metrics, models: Models
) -> bytes:
    image_rgb = decode_picture(data, limits)
    models.note(image_rgb)
    begin_s = time.perf_counter()
    scene = replace(models.analyzer.look(image_rgb, tasks=tasks), source=name)
    metrics.frames.labels("photo").inc()
    metrics.look_seconds.labels("photo").observe(time.perf_counter() - begin_s)
    return encode_image(scene.draw().image_rgb, ".jpg") if annotated else scene.to_json().encode()


def _classify(data: bytes, task: Task, name: str, limits: Limits, metrics: Metrics, models: Models) -> dict[str, Any]:
    image_rgb = decode_picture(data, limits)
    models.note(image_rgb)
    begin_s = time.perf_counter()
    reader = models.reader(task)
    prediction = reader.read(image_rgb)
    metrics.frames.labels("crop").inc()
    metrics.look_seconds.labels("crop").observe(time.perf_counter() - begin_s)
    return {"source": name, **prediction.to_dict(), "model": reader.model.to_dict()}
