"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import http
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from memery.errors import (
    ArchiveError,
    ArchiveLocked,
    ImageError,
    ImageUnknown,
    MemeryError,
    ModelBusy,
    ModelError,
    QueryError,
)
from memery.gateway.rest.schemas.responses import JSON, ProblemDocument

if TYPE_CHECKING:
    from starlette.responses import Response

logger = logging.getLogger(__name__)

_FIELDS_MAX, _NAME_MAX, _TEXT_MAX = 20, 100, 1000
"""Maximum number of invalid fields in a response, length of a name, and length of a message."""
_NAMED = 5
"""Number of fields that the detail names."""
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Phrases of RFC 9110; Python before 3.13 has those of RFC 7231 and RFC 4918."""
_METHODS = ("GET", "DELETE", "OPTIONS", "PATCH", "POST", "PUT")
_STATUSES: tuple[tuple[type[MemeryError], int], ...] = (
    (ImageUnknown, 404),
    (QueryError, 422),
    (ImageError, 422),
    (ModelBusy, 503),
    (ArchiveLocked, 409),
    (ArchiveError, 503),
    (ModelError, 503),
)


class Problem(Exception):  # noqa: N818 - the term of RFC 9457
    """An error response.

    Args:
        status: HTTP status code.
        detail: what happened, and what to do.
        errors: field and message of each invalid value.
        headers: additional response headers.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    @property
    def document(self) -> ProblemDocument:
        """The problem document (RFC 9457); `errors` is an extension."""
        document: ProblemDocument = {
            "type": "about:blank",
            "title": _PHRASES.get(self.status) or http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": truncate(self.detail, _TEXT_MAX),
            "errors": [
                {"field": truncate(field, _NAME_MAX), "message": truncate(message, _TEXT_MAX)}
                for field, message in self.errors[:_FIELDS_MAX]
            ],
        }
        if len(self.errors) > _FIELDS_MAX:
            document["more_errors"] = len(self.errors) - _FIELDS_MAX
        return document

    def response(self) -> Response:
        """Make the response."""
        return JSON(self.document, self.status, self.headers, MEDIA_TYPE)


def truncate(text: str, max_length: int) -> str:
    """Truncate a text, and append its original length.

    Args:
        text: the text.
        max_length: maximum length, characters.
    """
    return text if len(text) <= max_length else f"{text[:max_length]}… ({len(text)} characters)"


class ClientTooSlowError(Exception):
    """The client does not read its response; the connection is closed."""


def problem_from_error(error: MemeryError, field: str = "") -> Problem:
    """Convert an error to a problem.

    Args:
        error: the error.
        field: the request field that caused it, or "".
    """
    status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
    headers = (
        {"Retry-After": str(RETRY_SECONDS)} if status == http.HTTPStatus.SERVICE_UNAVAILABLE else {}
    )
    errors = [(field, str(error))] if field else []
    return Problem(status, str(error), errors=errors, headers=headers)


def add_exception_handlers(app: FastAPI) -> None:
    """Make an application respond to every error with a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(MemeryError)
    async def _memery(_: Request, error: MemeryError) -> Response:
        return problem_from_error(error).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return validation_problem(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(app.routes, request.scope))
        return Problem(error.status_code, str(error.detail), headers=headers).response()

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> Response:
        if not isinstance(error, ClientTooSlowError):
            logger.error("A request failed: %s: %s", type(error).__name__, error)
        return Problem(500, "Internal error; see the server log.").response()


def _methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """The methods allowed on a path; the router reports those of one route only."""
    allowed = [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] == Match.FULL for route in routes)
    ]
    return ["GET", "HEAD", *allowed[1:]] if "GET" in allowed else allowed  # see HeadMiddleware


def validation_problem(errors: Sequence[Mapping[str, object]]) -> Problem:
    """Convert pydantic's validation errors to a problem."""
    fields = []
    for error in errors:
        location = error.get("loc", ())
        names = [str(name) for name in location] if isinstance(location, (list, tuple)) else []
        kind = names.pop(0) if names and names[0] in ("query", "path", "body", "header") else ""
        fields.append((".".join(names) or kind, str(error.get("msg", ""))))
    names = list(dict.fromkeys(truncate(field, _NAME_MAX) for field, _ in fields))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return Problem(422, f"Invalid fields: {', '.join(names[:_NAMED])}{more}.", errors=fields)
