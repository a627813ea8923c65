"""The server: a few files, a few addresses under `/api`, and no word to or from any other place."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any, Literal, get_args

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from facskit.errors import FacskitError
from facskit.faces.images import decode_image
from facskit.inference.dialects import DialectName
from facskit.inference.recognition import RecognizedFrame
from facskit.inference.recognizer import Recognizer
from facskit.page.answers import Looked, WhatIsKnown, looked_at, what_is_known
from facskit.page.jobs import FullError, Job, Jobs
from facskit.page.limits import Limits
from facskit.page.workplace import Workplace
from facskit.version import __version__

__all__ = ["build_app"]

_STATIC = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_PATIENCE = 30.0
"""Seconds without a byte after which an upload is given up."""
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Progress(BaseModel):
    """How far an upload is."""

    id: str = Field(description="Only who uploaded knows it; it is the key to the result")
    kind: Literal["photograph", "video"] | None
    state: Literal["waiting", "running", "done", "failed"]
    ahead: int = Field(description="Uploads that come first while it waits")
    done: int = Field(description="Frames looked at")
    total: int | None = Field(description="Frames there are, as far as the file says")
    message: str = Field(description="What went wrong, also with the rest of a video whose beginning is done")


class Result(BaseModel):
    """What was seen."""

    moments: list[Looked] = Field(description="The photograph, or frames of the video; of a long one every n-th")
    attention: int = Field(description="Pictures of where the network looked, one per face of a photograph")


def build_app(recognizer: Recognizer, limits: Limits, hosts: list[str]) -> FastAPI:
    """Put the server together.

    Args:
        recognizer: What looks at pictures.
        hosts: Names by which the server may be called, without ports; a page elsewhere that has made a name of its own
            point here isn't answered.
    """
    workplace = Workplace()
    jobs = Jobs(recognizer, workplace, limits)
    webcams = asyncio.Semaphore(1)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        jobs.close()
        workplace.close()

    # The usual pages about the interface load scripts from elsewhere; /openapi.json itself is enough.
    app = FastAPI(title="facskit", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.middleware("http")(_guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.exception_handler(FacskitError)(_say)
    _serve_files(app)
    _serve_uploads(app, jobs, limits)
    _serve_results(app, jobs)
    waiting = [0]

    @app.get("/api/about")
    def about() -> WhatIsKnown:
        """Say what this server recognises, and what it takes."""
        units, expressions = what_is_known(recognizer.info)
        return WhatIsKnown(
            version=__version__,
            units=units,
            expressions=expressions,
            intensities=recognizer.info.answers.intensities,
            attention=recognizer.config.attention,
            dialects=list(get_args(DialectName)),
            max_megabytes=limits.max_megabytes,
            max_minutes=limits.max_minutes,
        )

    @app.post("/api/frame", openapi_extra=_bytes("image/jpeg"))
    async def frame(request: Request) -> Looked:
        """Look at one picture, such as a webcam's, and answer at once; nothing is kept."""
        if waiting[0] >= limits.webcams:
            raise HTTPException(429, "Others' pictures are being looked at; try again in a moment.")
        waiting[0] += 1
        try:
            data = b"".join([part async for part in _limited(request, min(limits.max_megabytes, 10.0))])
            async with webcams:
                return await asyncio.to_thread(_look, recognizer, data, limits)
        finally:
            waiting[0] -= 1

    return app


def _look(recognizer: Recognizer, data: bytes, limits: Limits) -> Looked:
    image = decode_image(data, "the picture", int(1e6 * limits.max_megapixels))
    faces = tuple(recognizer.recognize(image))
    return looked_at(RecognizedFrame(source="", frame=0, timestamp=0.0, image=image, faces=faces))


def _serve_files(app: FastAPI) -> None:
    def answer(name: str, kind: str) -> Callable[[], Response]:
        content = files("facskit.page").joinpath(f"static/{name}").read_bytes()
        return lambda: Response(content, media_type=kind)

    for name, kind in _STATIC.items():
        path = "/" if name == "index.html" else f"/{name}"
        app.add_api_route(path, answer(name, kind), methods=["GET"], include_in_schema=False)


def _serve_uploads(app: FastAPI, jobs: Jobs, limits: Limits) -> None:
    @app.post("/api/jobs", status_code=202, openapi_extra=_bytes("application/octet-stream"))
    async def upload(
        request: Request, name: Annotated[str, Query(description="What to call it in tables")] = "upload"
    ) -> Progress:
        """Take a photograph or a video as the body, and begin to look at it."""
        try:
            job = jobs.open(_harmless(name))
        except FullError as error:
            raise HTTPException(429, f"{error}; try again later.") from error
        try:
            with job.upload.open("wb") as file:
                async for part in _limited(request, limits.max_megabytes):
                    file.write(part)
            jobs.submit(job)
        except BaseException:
            jobs.remove(job)
            raise
        return _progress(jobs, job)

    @app.get("/api/jobs/{identity}")
    def progress(identity: str) -> Progress:
        """Say how far an upload is."""
        return _progress(jobs, _found(jobs, identity))

    @app.delete("/api/jobs/{identity}", status_code=204)
    def remove(identity: str) -> None:
        """Stop work and delete everything that belongs to an upload."""
        jobs.remove(_found(jobs, identity))


def _serve_results(app: FastAPI, jobs: Jobs) -> None:
    @app.get("/api/jobs/{identity}/result", response_model=Result)
    def result(identity: str) -> Response:
        """Return the faces of a photograph or of a video's frames."""
        job = _finished(jobs, identity)
        told = b'{"moments":[%b],"attention":%d}' % (b",".join(job.moments), len(job.maps))
        return Response(told, media_type="application/json")

    @app.get("/api/jobs/{identity}/table", response_class=FileResponse)
    def table(identity: str, dialect: DialectName = "facskit") -> FileResponse:
        """Return the table, in the columns of facskit or of another tool."""
        job = _finished(jobs, identity)
        return FileResponse(job.table(dialect), media_type="text/csv", filename=f"{dialect}.csv")

    @app.get("/api/jobs/{identity}/attention/{face}", response_class=Response)
    def attention(identity: str, face: int) -> Response:
        """Return a picture of where the network looked on one face of a photograph, for each action unit."""
        job = _finished(jobs, identity)
        if not 0 <= face < len(job.maps):
            raise HTTPException(404, "There is no such picture.")
        return Response(job.maps[face], media_type="image/jpeg")


def _progress(jobs: Jobs, job: Job) -> Progress:
    return Progress(
        id=job.id,
        kind=job.kind,
        state=job.state,
        ahead=jobs.ahead_of(job),
        done=job.done,
        total=job.total,
        message=job.message,
    )


def _found(jobs: Jobs, identity: str) -> Job:
    job = jobs.find(identity)
    if job is None and (why := jobs.why_gone(identity)) is not None:
        raise HTTPException(410, why)
    if job is None:
        raise HTTPException(404, "There is no such upload, or it has been deleted.")
    return job


def _finished(jobs: Jobs, identity: str) -> Job:
    job = _found(jobs, identity)
    if job.state != "done":
        raise HTTPException(409, "This upload has no result, or not yet.")
    return job


async def _limited(request: Request, megabytes: float) -> AsyncIterator[bytes]:
    """Give the body as it comes, and refuse one that is too large as soon as that shows."""
    received, most = 0, int(megabytes * 1e6)
    parts = aiter(request.stream())
    while (part := await _next_part(parts)) is not None:
        received += len(part)
        if received > most:
            raise HTTPException(413, f"The file has more than {megabytes:g} MB, which is what this server takes.")
        yield part
    if not received:
        raise HTTPException(400, "The file is empty.")


async def _next_part(parts: AsyncIterator[bytes]) -> bytes | None:
    """Wait for more of a body, but not forever: whoever sends nothing would keep a place in the queue."""
    try:
        return await asyncio.wait_for(anext(parts, None), _PATIENCE)
    except TimeoutError as error:
        raise HTTPException(408, f"Nothing more of the file came for {_PATIENCE:g} seconds.") from error


def _harmless(name: str) -> str:
    """Return a name that means nothing to terminals, spreadsheets and pages."""
    kept = re.sub(r"[^\w .()\[\]-]", "_", name.strip())[:120].lstrip(" .-_")
    return kept or "upload"


async def _guard(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    """Answer nobody but our own page, and tell the browser to load nothing from elsewhere."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    elsewhere = origin is not None and origin.partition("://")[2] != host
    if request.headers.get("sec-fetch-site") == "cross-site" or elsewhere:
        return JSONResponse({"detail": "This server answers its own page alone."}, 403)
    response = await go_on(request)
    response.headers.update(_SAFETY)
    return response


async def _say(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)


def _bytes(kind: str) -> dict[str, Any]:
    """Describe a body of bytes."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}
