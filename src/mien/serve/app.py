"""The application: all routes, behind the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from mien import __version__
from mien.serve.contract import CardRecord, HealthRecord, ModelsRecord, ProblemRecord, errors
from mien.serve.describe import describe_card, describe_models
from mien.serve.engine import Engine
from mien.serve.guard import Guard
from mien.serve.jobs import Jobs
from mien.serve.live import LiveRoom
from mien.serve.look import LanguageQuery, look_routes
from mien.serve.metrics import CONTENT_TYPE, Metrics
from mien.serve.page import page_routes
from mien.serve.problems import add_problem_handlers
from mien.serve.settings import ServeSettings
from mien.serve.videos import video_routes
from mien.serve.watch import Watch
from mien.words import languages

_CHECK_S = 5.0
"""How often idle models are looked for, and results that have expired."""

_ABOUT = (
    "Reads facial expressions and hand gestures on this machine. Pictures are looked at and forgotten; "
    "videos and their records are deleted after an hour. `/v1/live` is a WebSocket: send pictures as binary "
    "messages, read one JSON object per picture."
)


def create_app(
    settings: ServeSettings, engine: Engine, jobs: Jobs, metrics: Metrics, watch: Watch | None = None
) -> FastAPI:
    """The application of one server.

    Args:
        settings: who may use it, and its limits.
        engine: closed by whoever made it.
        jobs: likewise.
        metrics: counts requests.
        watch: the camera that is shown to all; started with the application.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if watch is not None:
            watch.start(asyncio.get_running_loop())
        keeper = asyncio.create_task(_keep_tidy(engine, jobs))
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    app = FastAPI(
        title="mien",
        version=__version__,
        description=_ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its scripts come from another host
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,
    )
    add_problem_handlers(app)
    rooms = LiveRoom(engine, settings, metrics)
    for name, about, value in (
        ("mien_models_loaded", "Whether the models are in memory.", lambda: float(engine.is_loaded)),
        ("mien_requests_waiting", "Pictures that are read or wait.", lambda: float(engine.admitted_now)),
        ("mien_jobs_unfinished", "Videos that arrive, wait or run.", lambda: float(jobs.unfinished)),
    ):
        metrics.watch(name, about, value)
    app.include_router(look_routes(engine, settings.limits, metrics))
    app.include_router(video_routes(jobs, settings.limits))
    app.include_router(rooms.routes())
    if watch is not None:
        app.include_router(watch.routes())
    _add_facts(app, settings, engine, metrics)
    app.include_router(page_routes(settings))
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    return app


def _add_facts(app: FastAPI, settings: ServeSettings, engine: Engine, metrics: Metrics) -> None:
    """What is there, and how it is."""
    described = {tag: describe_models(settings, tag) for tag in ("", *languages())}

    @app.get("/v1/health", tags=["server"], responses={421: errors()[421]})
    async def health() -> HealthRecord:
        """Whether the server answers."""
        return HealthRecord(status="ok", version=__version__, models_loaded=engine.is_loaded)

    @app.get("/v1/models", tags=["models"], responses=errors())
    async def models(language: LanguageQuery = "") -> ModelsRecord:
        """The labels with their words and colours, and the models in the package."""
        return described.get(language, described[""])

    @app.get("/v1/models/{name}", tags=["models"], responses=errors(404, 422))
    async def card(name: str) -> CardRecord:
        """The card of a model, in Markdown."""
        return await asyncio.to_thread(describe_card, name, settings.options)

    @app.get("/metrics", include_in_schema=False)
    async def counted() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)


async def _keep_tidy(engine: Engine, jobs: Jobs) -> None:
    while True:
        await asyncio.sleep(_CHECK_S)
        await asyncio.to_thread(engine.tidy)
        jobs.expire()


def _openapi(app: FastAPI) -> dict[str, object]:
    """The description of the interface, with problems instead of FastAPI's own errors."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, license_info=None
        )
        schemas = schema["components"]["schemas"]
        schemas["ProblemRecord"] = ProblemRecord.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for operation in (one for path in schema["paths"].values() for one in path.values()):
            for status in operation["responses"].keys() & {"422"}:
                operation["responses"][status] = errors(422)[422]
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{}, {"token": []}]
        app.openapi_schema = schema
    return app.openapi_schema
