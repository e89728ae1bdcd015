"""Cost of importing memery and of its help, compared with bare Python."""

from benchmarks.measure import command_seconds, memery, python, say


def run() -> None:
    """Budgets: 50 ms for the import, 150 ms for the help."""
    bare = command_seconds(python("pass"))
    imported = command_seconds(python("import memery"))
    helped = command_seconds(memery("--help"))
    say(
        "startup",
        bare_ms=round(1000 * bare),
        import_over_bare_ms=round(1000 * (imported - bare)),
        help_over_bare_ms=round(1000 * (helped - bare)),
    )
