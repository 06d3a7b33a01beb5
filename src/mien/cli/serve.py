"""`mien serve`: the page, the REST interface and the WebSocket, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console.options import ProviderOption
from mien.errors import InputError
from mien.extras import needs
from mien.pipeline import Options, parse_tasks
from mien.voice.responses import Responses
from mien.words import say

if TYPE_CHECKING:
    from mien.serve.settings import ServeSettings


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 8080,
    token: Annotated[
        str | None,
        typer.Option(
            help="What every client must send; other users of this machine can see it, so prefer --token-file."
        ),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the token.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Another name of this machine, e.g. of a reverse proxy.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="A site whose pages may use the API and embed the page: https://example.org."
        ),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Show a camera, video or stream of this machine to all clients."),
    ] = None,
    idle: Annotated[
        float | None, typer.Option(min=0.01, metavar="MINUTES", help="Release the models after this long without work.")
    ] = None,
    task: Annotated[str, typer.Option(help="emotion, gesture, or emotion,gesture for both.")] = "emotion,gesture",
    responses: Annotated[Path | None, typer.Option(help="TOML file with your own sentences.")] = None,
    emotion_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per network.")] = None,
    provider: ProviderOption = "cpu",
) -> None:
    """Serve a web page and an API for pictures, videos and live cameras; nothing leaves this machine.

    Open the address that is printed. Ctrl-C stops the server.
    """
    with needs("serve"):
        from mien.serve.server import run_server
        from mien.serve.settings import ServeSettings, read_token
    if token is not None and token_file is not None:
        raise typer.BadParameter("give only one of --token and --token-file", param_hint="--token")
    models = {"emotion_model": emotion_model, "gesture_model": gesture_model}
    options = Options(
        tasks=parse_tasks(task),
        threads=threads,
        provider=provider,
        follow=True,
        **{key: value for key, value in models.items() if value is not None},  # type: ignore[arg-type]
    )
    try:
        settings = ServeSettings(
            host=host,
            port=port,
            token=token if token_file is None else read_token(token_file),
            hosts=tuple(allow_host or ()),
            origins=tuple(allow_origin or ()),
            options=options,
            responses=Responses.load(responses),
            idle_s=None if idle is None else 60 * idle,
            watch=watch,
        )
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    run_server(settings, _ready)


def _ready(settings: ServeSettings) -> None:
    typer.echo(say("serve.ready", address=settings.address), err=True)
    if not settings.is_loopback:
        typer.echo(say("serve.reachable"), err=True)
