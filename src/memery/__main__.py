"""`memery` and `python -m memery`."""

import codecs
import io
import os
import sys

_PLAIN = {"×": "x", "…": "..."}
"""Characters of memery's own that not every encoding has."""


def main() -> None:
    """Run the command line."""
    _escape_what_cannot_be_encoded()
    try:
        from memery.gateway.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # the help or the version could not be written
        print(f"memery: The output cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201
        os._exit(3)


def _escape_what_cannot_be_encoded() -> None:
    """Let every terminal and pipe show something readable, whatever its encoding is."""
    codecs.register_error("memery.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="memery.plain")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    char = error.object[error.start]
    escaped = char.encode("ascii", "backslashreplace").decode("ascii")
    return _PLAIN.get(char, escaped), error.start + 1


if __name__ == "__main__":
    main()
