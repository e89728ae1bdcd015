"""The choices of options."""

import enum


class ResultFormat(enum.StrEnum):
    """Output formats of `recall`."""

    TABLE = "table"
    PATHS = "paths"
    PATHS0 = "paths0"
    JSON = "json"
    JSONL = "jsonl"


class ReportFormat(enum.StrEnum):
    """Output formats of `build` and `status`."""

    TEXT = "text"
    JSON = "json"


class DuplicateFormat(enum.StrEnum):
    """Output formats of `duplicates`; paths lists all but the best copy of each group."""

    TABLE = "table"
    PATHS = "paths"
    PATHS0 = "paths0"
    JSON = "json"
