"""Choices of a build that its archive remembers, so that later scans see the same files."""

from __future__ import annotations

from memery.config import Config
from memery.stores.interface import Store

_FOLLOW_LINKS, _READ_TEXT = "follow_links", "read_text"


def follows_links(store: Store, config: Config) -> bool:
    """Whether links are followed: as configured, else as the archive remembers, else not."""
    if config.follow_links is not None:
        return config.follow_links
    return _setting(store, _FOLLOW_LINKS) == "1"


def reads_text(store: Store, config: Config) -> bool:
    """Whether text is recognised: as configured, else as the archive remembers, else yes."""
    if config.read_text is not None:
        return config.read_text
    return _setting(store, _READ_TEXT) != "0"


def remember_choices(store: Store, config: Config) -> None:
    """Let the archive remember what is configured."""
    choices = {_FOLLOW_LINKS: config.follow_links, _READ_TEXT: config.read_text}
    for name, choice in choices.items():
        if choice is not None and _setting(store, name) != str(int(choice)):
            with store.writing() as writer:
                writer.remember(name, str(int(choice)))


def _setting(store: Store, name: str) -> str | None:
    with store.snapshot() as snapshot:
        return snapshot.state().settings.get(name)
