"""`memery` and `python -m memery`."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from memery.gateway.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
