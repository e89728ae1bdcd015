"""The whole command line: the commands of `cli`, and `serve`, which joins it with `rest`.

Neither of the two knows the other; this module knows both. What serves is imported when it is
needed: it takes half a second.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from memery.gateway.cli import options
from memery.gateway.cli.app import app

__all__ = ["app"]

Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH...", parser=options.path, help="Folders of images."),
]
Host = Annotated[
    str,
    typer.Option(metavar="ADDRESS", callback=options.not_empty, help="Address to listen on."),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")]
Token = Annotated[
    str,
    typer.Option(
        envvar="MEMERY_SERVE_TOKEN",
        show_envvar=False,
        callback=options.not_empty,
        help="What clients must show; made where the address is not this machine's own.",
    ),
]
AllowIndex = Annotated[
    bool, typer.Option("--allow-index", help="Let clients of other machines start indexing.")
]
Hosts = Annotated[
    list[str],
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        callback=options.not_empty,
        help="A name of this server.",
    ),
]
RootPath = Annotated[
    str, typer.Option(metavar="PATH", help="What a proxy has before the server's paths.")
]
Forwarded = Annotated[
    list[str],
    typer.Option(
        "--forwarded-allow",
        metavar="IP",
        callback=options.not_empty,
        help="A proxy whose headers are believed.",
    ),
]
Origins = Annotated[
    list[str],
    typer.Option(
        "--cors-origin",
        metavar="ORIGIN",
        callback=options.not_empty,
        help="A site whose pages may ask.",
    ),
]


@app.command(epilog="Example: memery serve ~/Pictures --open")
def serve(
    paths: Paths = None,
    host: Host = "127.0.0.1",
    port: Port = 7890,
    token: Token = "",
    no_index: Annotated[bool, typer.Option("--no-index", help="Serve what is indexed.")] = False,
    allow_index: AllowIndex = False,
    allowed_hosts: Hosts = [],  # noqa: B006 - Typer copies defaults
    root_path: RootPath = "",
    forwarded: Forwarded = [],  # noqa: B006 - Typer copies defaults
    origins: Origins = [],  # noqa: B006 - Typer copies defaults
    encoder_only: Annotated[
        bool, typer.Option("--encoder-only", help="Serve the model alone.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    model: options.Model = None,
    precision: options.Precision = None,
    device: options.Device = None,
    archive: options.ArchiveFolder = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Answer over HTTP: a web page for people, JSON for programs."""
    from memery.errors import ConfigError
    from memery.gateway.cli.actions import launch
    from memery.gateway.cli.console import Notices, reported
    from memery.gateway.cli.downloads import have_model
    from memery.gateway.rest.options import Options

    settings: dict[str, Any] = {
        "model": model,
        "precision": precision,
        "device": device,
        "archive": archive,
    }
    notices = Notices(quiet=quiet, verbose=verbose)

    def show(link: str) -> None:
        def run() -> None:
            if not launch(link):
                notices.say(f"No browser was found: open {link} yourself.")

        threading.Thread(target=run, daemon=True).start()  # the server does not wait for it

    @reported
    def run() -> None:
        _check(paths or [], archive, encoder_only=encoder_only)
        if encoder_only and open_:
            raise ConfigError("--encoder-only has no page that --open could open.")
        asked = Options(
            host=host,
            port=port,
            token=token,
            allowed_hosts=tuple(allowed_hosts),
            root_path=root_path.rstrip("/"),
            forwarded_allow=tuple(forwarded),
            cors_origins=tuple(origins),
            allow_index=allow_index,
            encoder_only=encoder_only,
        )
        have_model(settings, notices)
        from memery.gateway.rest import server

        if not quiet:
            server.log_requests()
        server.serve(
            paths or [],
            asked,
            settings=settings,
            index=not no_index,
            say=notices.say,
            opened=show if open_ else lambda _: None,
        )

    run()


def _check(paths: list[Path], archive: Path | None, *, encoder_only: bool) -> None:
    from memery.errors import ConfigError

    if encoder_only and paths:
        raise ConfigError("--encoder-only serves the model alone: name no folder with it.")
    if not encoder_only and not paths:
        raise ConfigError("Name the folder to serve, or --encoder-only for the model alone.")
    if archive is not None and len(paths) > 1:
        raise ConfigError("--archive names the archive of one folder, and several are served.")
