"""The whole command line: the commands of `cli`, and `serve`, which joins `cli` with `rest`.

`cli` and `rest` do not import each other; only this module imports both. The server is imported
when `serve` runs, because that takes half a second.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memery.gateway.cli import options
from memery.gateway.cli.app import app
from memery.gateway.cli.groups import OptionGroup, grouped

if TYPE_CHECKING:
    from memery.gateway.cli.console import Console
    from memery.gateway.rest.options import Options

__all__ = ["app"]

Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH...", parser=options.path, help="Folders of images."),
]


@dataclass(eq=False, repr=False)
class ServerOptions(OptionGroup):
    """Where the server listens, and what clients may do."""

    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", callback=options.not_empty, help="Address to listen on."),
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 7890
    token: Annotated[
        str,
        typer.Option(
            envvar="MEMERY_SERVE_TOKEN",
            show_envvar=False,
            callback=options.not_empty,
            help="Token that clients must send; generated unless the address is loopback.",
        ),
    ] = ""
    allow_index: Annotated[
        bool, typer.Option("--allow-index", help="Let clients on other machines start indexing.")
    ] = False
    allowed_hosts: Annotated[
        list[str],
        typer.Option(
            "--allowed-host",
            metavar="NAME",
            callback=options.not_empty,
            help="Another host name of this server.",
        ),
    ] = field(default_factory=list)
    root_path: Annotated[
        str, typer.Option(metavar="PATH", help="Path prefix that a reverse proxy adds.")
    ] = ""
    forwarded: Annotated[
        list[str],
        typer.Option(
            "--forwarded-allow",
            metavar="IP",
            callback=options.not_empty,
            help="Trusted proxy address.",
        ),
    ] = field(default_factory=list)
    origins: Annotated[
        list[str],
        typer.Option(
            "--cors-origin",
            metavar="ORIGIN",
            callback=options.not_empty,
            help="Site whose pages may call the API (CORS).",
        ),
    ] = field(default_factory=list)
    encoder_only: Annotated[bool, typer.Option("--encoder-only", help="Serve only the model.")] = (
        False
    )

    def checked(self) -> Options:
        """The options of the REST server.

        Raises:
            ConfigError: a value is invalid.
        """
        from memery.gateway.rest.options import Options

        return Options(
            host=self.host,
            port=self.port,
            token=self.token,
            allowed_hosts=tuple(self.allowed_hosts),
            root_path=self.root_path.rstrip("/"),
            forwarded_allow=tuple(self.forwarded),
            cors_origins=tuple(self.origins),
            allow_index=self.allow_index,
            encoder_only=self.encoder_only,
        )


@app.command(epilog="Example: memery serve ~/Pictures --open")
@grouped
def serve(
    paths: Paths = None,
    *,
    server_options: ServerOptions,
    no_index: Annotated[bool, typer.Option("--no-index", help="Do not index at start.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    settings: options.Settings,
    verbosity: options.Verbosity,
) -> None:
    """Serve folders over HTTP: a web page and a JSON API."""
    from memery.gateway.cli.console import handle_errors
    from memery.gateway.cli.downloads import ensure_model

    console = verbosity.console()

    @handle_errors
    def run() -> None:
        _check(
            paths or [],
            settings.archive,
            encoder_only=server_options.encoder_only,
            open_page=open_,
        )
        checked = server_options.checked()
        ensure_model(settings.given, console)
        from memery.gateway.rest import server

        if not verbosity.quiet:
            server.log_requests()
        server.serve(
            paths or [],
            checked,
            settings=settings.given,
            index=not no_index,
            say=console.say,
            opened=partial(_open_page, console) if open_ else lambda _: None,
        )

    run()


def _open_page(console: Console, link: str) -> None:
    """Open the page in a browser, in a thread: the server does not wait for it."""
    from memery.gateway.cli.actions import launch

    def run() -> None:
        if not launch(link):
            console.say(f"No browser was found. Open {link} yourself.")

    threading.Thread(target=run, daemon=True).start()


def _check(paths: list[Path], archive: Path | None, *, encoder_only: bool, open_page: bool) -> None:
    from memery.errors import ConfigError

    if encoder_only and paths:
        raise ConfigError("--encoder-only serves only the model. Remove the folders.")
    if encoder_only and open_page:
        raise ConfigError("--encoder-only serves no page. Remove --open.")
    if not encoder_only and not paths:
        raise ConfigError("Name a folder to serve, or use --encoder-only to serve only the model.")
    if archive is not None and len(paths) > 1:
        raise ConfigError("--archive works with one folder only. Serve one folder, or remove it.")
