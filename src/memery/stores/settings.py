"""Settings of a build that its archive stores, so that later scans include the same files."""

from __future__ import annotations

from memery.config import Config
from memery.stores.interface import Store

_FOLLOW_LINKS, _OCR = "follow_links", "read_text"


def follows_links(store: Store, config: Config) -> bool:
    """Whether links are followed: as configured, else as stored in the archive, else not."""
    if config.follow_links is not None:
        return config.follow_links
    return _setting(store, _FOLLOW_LINKS) == "1"


def ocr_enabled(store: Store, config: Config) -> bool:
    """Whether OCR runs: as configured, else as stored in the archive, else yes."""
    if config.read_text is not None:
        return config.read_text
    return _setting(store, _OCR) != "0"


def remember_choices(store: Store, config: Config) -> None:
    """Store the configured settings in the archive."""
    choices = {_FOLLOW_LINKS: config.follow_links, _OCR: config.read_text}
    for name, choice in choices.items():
        if choice is not None and _setting(store, name) != str(int(choice)):
            with store.writing() as writer:
                writer.remember(name, str(int(choice)))


def _setting(store: Store, name: str) -> str | None:
    with store.snapshot() as snapshot:
        return snapshot.state().settings.get(name)
