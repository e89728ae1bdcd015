"""What an option may be set to."""

import enum


class ResultFormat(enum.StrEnum):
    """How `recall` prints hits."""

    TABLE = "table"
    PATHS = "paths"
    PATHS0 = "paths0"
    JSON = "json"
    JSONL = "jsonl"


class ReportFormat(enum.StrEnum):
    """How `build` and `status` print what they have to say."""

    TEXT = "text"
    JSON = "json"


class DuplicateFormat(enum.StrEnum):
    """How `duplicates` prints groups; as paths, all but the best copy of each."""

    TABLE = "table"
    PATHS = "paths"
    PATHS0 = "paths0"
    JSON = "json"
