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
from memery.gateway.rest.schemas.answers import JSON, ProblemDocument

if TYPE_CHECKING:
    from starlette.responses import Response

logger = logging.getLogger(__name__)

_FIELDS_MAX, _NAME_MAX, _TEXT_MAX = 20, 100, 1000
"""Of an answer: invalid fields that are listed; characters of a name, and of a sentence."""
_NAMED = 5
"""Fields that the sentence names."""
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""Names of RFC 9110, which Python before 3.13 has under those of RFC 7231 and RFC 4918."""
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


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An answer that is an error.

    Args:
        status: of HTTP.
        detail: what happened, and what to do.
        errors: field and message of each value that is off.
        headers: of the answer.
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
        """As RFC 9457 has it; `errors` is ours."""
        document: ProblemDocument = {
            "type": "about:blank",
            "title": _PHRASES.get(self.status) or http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": shortened(self.detail, _TEXT_MAX),
            "errors": [
                {"field": shortened(field, _NAME_MAX), "message": shortened(message, _TEXT_MAX)}
                for field, message in self.errors[:_FIELDS_MAX]
            ],
        }
        if len(self.errors) > _FIELDS_MAX:
            document["more_errors"] = len(self.errors) - _FIELDS_MAX
        return document

    def response(self) -> Response:
        """As an answer."""
        return JSON(self.document, self.status, self.headers, MEDIA_TYPE)


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, and how many it had."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


class SlowClientError(Exception):
    """The client takes nothing of its answer: the connection is given up."""


def of_error(error: MemeryError, field: str = "") -> Problem:
    """What an error of memery's is over HTTP."""
    status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
    headers = (
        {"Retry-After": str(RETRY_SECONDS)} if status == http.HTTPStatus.SERVICE_UNAVAILABLE else {}
    )
    errors = [(field, str(error))] if field else []
    return Problem(status, str(error), errors=errors, headers=headers)


def handle(app: FastAPI) -> None:
    """Let an application answer every error with a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(MemeryError)
    async def _memery(_: Request, error: MemeryError) -> Response:
        return of_error(error).response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(app.routes, request.scope))
        return Problem(error.status_code, str(error.detail), headers=headers).response()

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> Response:
        if not isinstance(error, SlowClientError):
            logger.error("An answer failed: %s: %s", type(error).__name__, error)
        return Problem(500, "Something unforeseen happened: the server's log says what.").response()


def _methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """What is answered on the path of a request; the router names those of one route only."""
    allowed = [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] == Match.FULL for route in routes)
    ]
    return ["GET", "HEAD", *allowed[1:]] if "GET" in allowed else allowed  # see `heads`


def invalid(errors: Sequence[Mapping[str, object]]) -> Problem:
    """Values that are off, as pydantic names them."""
    fields = []
    for error in errors:
        place = error.get("loc", ())
        names = [str(name) for name in place] if isinstance(place, (list, tuple)) else []
        kind = names.pop(0) if names and names[0] in ("query", "path", "body", "header") else ""
        fields.append((".".join(names) or kind, str(error.get("msg", ""))))
    names = list(dict.fromkeys(shortened(field, _NAME_MAX) for field, _ in fields))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return Problem(422, f"Invalid fields: {', '.join(names[:_NAMED])}{more}.", errors=fields)
