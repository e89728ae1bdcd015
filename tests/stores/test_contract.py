"""Every store of memery's does what the interface promises."""

import contextlib

import pytest

from memery.archive import Archive
from memery.stores.federated import FederatedStore, Member
from memery.stores.sqlite.store import SQLiteStore
from memery.testing import MemoryStore
from stores.contract import SearchContract, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        with contextlib.closing(SQLiteStore(Archive(tmp_path, tmp_path / ".memery"))) as store:
            yield store


class TestFederatedStore(SearchContract):
    """One member is filled, the other stays empty."""

    @pytest.fixture(params=["memory", "sqlite"])
    def store(self, request, tmp_path):
        if request.param == "memory":
            yield MemoryStore()
            return
        with contextlib.closing(SQLiteStore(Archive(tmp_path, tmp_path / ".memery"))) as store:
            yield store

    def searched(self, store):
        return FederatedStore([Member("filled", store), Member("empty", MemoryStore())])
