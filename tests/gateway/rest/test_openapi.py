"""The whole of OpenAPI, tried with made-up requests: no 5xx, every answer as it is described.

`GATEWAY_CASES` says how many for each operation.
"""

import os
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CASES = int(os.environ.get("GATEWAY_CASES", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HEAD_BYTES = 20_000
EVENTS = "/v1/index/events"
"""Has no end; `test_index_jobs` follows it."""


@pytest.fixture(scope="module")
def described(server):
    return schemathesis.openapi.from_url(f"{server.url}/v1/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_described(described, mode):
    """Requests as they should be, and requests as they should not."""
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) >= 20
    tried = 0
    for operation in operations:
        raw = operation.definition.raw
        # Any text will do in a path, and where nothing is taken, nothing can be wrong.
        takes_all = {one["in"] for one in raw.get("parameters", [])} <= {"path", "header"}
        takes_all &= "requestBody" not in raw
        if operation.path == EVENTS or (mode is GenerationMode.NEGATIVE and takes_all):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=CASES,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        def answers(case):
            nonlocal tried
            # A longer head is refused before it is read: `test_limits` sends one.
            assume(len(case.formatted_path) + len(urlencode(case.query or {}, True)) < HEAD_BYTES)
            tried += 1
            case.call_and_validate(checks=CHECKS, timeout=60)

        answers()
    assert tried >= CASES


def test_every_route_is_described(server):
    described = server.get("/v1/openapi.json").json()["paths"]
    assert EVENTS in described
    assert len([path for path in described if path.startswith("/v1/")]) >= 15
    for path, operations in described.items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert {"4XX", "5XX"} <= operation["responses"].keys()
