"""`memery` and `python -m memery`."""

import codecs
import io
import os
import sys

from memery.text.escaping import escaped

_REPLACEMENTS = {"×": "x", "…": "..."}
"""ASCII replacements of the characters in memery's messages that some encodings lack."""


def main() -> None:
    """Run the command line."""
    _escape_unencodable()
    try:
        from memery.gateway.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # the help or the version could not be written
        print(f"memery: The output cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201
        os._exit(3)


def _escape_unencodable() -> None:
    """Escape characters that the encoding of the output lacks, instead of failing."""
    codecs.register_error("memery.plain", _replace_unencodable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="memery.plain")


def _replace_unencodable(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    char = error.object[error.start]
    return _REPLACEMENTS.get(char) or escaped(char), error.start + 1


if __name__ == "__main__":
    main()
