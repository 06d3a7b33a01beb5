"""Videos: send one, follow how far it is, fetch its records."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from mien.pipeline import parse_tasks
from mien.serve.bodies import save_video
from mien.serve.containers import check_video
from mien.serve.contract import JobRecord, errors, video_body
from mien.serve.jobs import Format, Jobs
from mien.serve.look import NameQuery, TaskQuery
from mien.serve.problems import Problem
from mien.serve.settings import Limits

_PIECE_BYTES = 262_144
_TYPES = {"jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}


def video_routes(jobs: Jobs, limits: Limits) -> APIRouter:
    """`/v1/look/video` and `/v1/jobs/{id}`."""
    router = APIRouter(prefix="/v1", tags=["videos"])

    @router.post(
        "/look/video",
        status_code=202,
        response_model=JobRecord,
        responses=errors(400, 408, 413, 415, 422, 501, 503, 507),
        openapi_extra=video_body(),
    )
    async def look_at_video(
        request: Request,
        response: Response,
        task: TaskQuery = "emotion,gesture",
        every: Annotated[int, Query(ge=1, le=10_000, description="Look at every n-th frame.")] = 1,
        format: Annotated[Format, Query(description="Of the result.")] = "jsonl",  # noqa: A002 - its name in the API
        name: NameQuery = "video",
    ) -> JobRecord:
        """Send a video; it is looked at in the background. Location names the job."""
        tasks = parse_tasks(task)
        if format == "parquet":
            from mien.extras import needs

            with needs("table"):
                import pyarrow  # noqa: F401
        job = jobs.place(name=name, form=format, tasks=tasks, every=every)
        try:
            await save_video(request, job.video, limits)
            check_video(job.video)
        except BaseException:
            jobs.drop(job)
            raise
        jobs.submit(job)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return jobs.record(job)

    @router.get("/jobs/{id}", response_model=JobRecord, responses=errors(404))
    async def job_state(id: str) -> JobRecord:  # noqa: A002
        """How far a job is."""
        return jobs.record(jobs.get(id))

    @router.delete("/jobs/{id}", response_model=JobRecord, responses=errors(404))
    async def cancel_job(id: str) -> JobRecord:  # noqa: A002
        """Cancel a job that is not finished; delete one that is, with its result."""
        job = jobs.get(id)
        jobs.cancel(job)
        return jobs.record(job)

    @router.get(
        "/jobs/{id}/result",
        response_model=None,
        response_class=Response,
        responses={
            200: {"content": {kind: {} for kind in _TYPES.values()}, "description": "The records."},
            **errors(404, 409),
        },
    )
    async def job_result(id: str) -> Response:  # noqa: A002
        """The records of a job that is done; of one that failed, those of the part before."""
        job = jobs.get(id)
        if job.ended_s is None:
            raise Problem(409, f"This job is {job.state} and has no result.")
        try:  # once it is open it may be deleted
            file = await asyncio.to_thread(job.result.open, "rb")
        except FileNotFoundError:
            raise Problem(409, f"This job is {job.state} and has no result.") from None
        headers = {
            "Content-Length": str(os.fstat(file.fileno()).st_size),
            "Content-Disposition": f'attachment; filename="mien.{job.format}"',
        }
        return StreamingResponse(_pieces(file), media_type=_TYPES[job.format], headers=headers)

    return router


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece
