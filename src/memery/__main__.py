"""`memery` and `python -m memery`."""

import os
import sys


def main() -> None:
    """Run the command line."""
    try:
        from memery.gateway.entry import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # the help or the version could not be written
        print(f"memery: The output cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201
        os._exit(3)


if __name__ == "__main__":
    main()
