"""Look into archives with SQL, as no reader of memery would."""

import contextlib
import sqlite3


def count_rows(folder, table="embeddings"):
    """Return how many rows of a table are committed; 0 where there is no such table yet.

    Args:
        folder: the folder that holds `.memery`.
        table: name of a table of its store.

    The store is opened read-only and without waiting, so that a build is never kept from writing.
    """
    address = f"{(folder / '.memery' / 'store.sqlite3').as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, timeout=0, uri=True)) as db:
            return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
