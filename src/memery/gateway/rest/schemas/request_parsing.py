"""Parses request bodies: JSON, and multipart forms that stay in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from memery.gateway.rest.options import Limits
from memery.gateway.rest.schemas.problems import Problem, validation_problem
from memery.text.plurals import counted

M = TypeVar("M", bound=BaseModel)

_STRUCTURE_MAX = 1 << 15
"""Maximum number of separators and escapes in JSON. Parsing holds the GIL and so blocks all
threads: about 10 ms for this many, half a second for 6 MB of them."""
_DIGITS_MAX = 100
"""Maximum number of digits of an integer. Conversion takes quadratic time, and the message of
Python's own limit is meant for programmers."""
_DEPTH = 4
"""Maximum nesting of a valid request; deeper values fail validation anyway."""
JSON_TYPE, MULTIPART = "application/json", "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Part:
    """An image of a multipart body."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body."""

    fields: dict[str, str]
    images: Sequence[Part]


def content_type(request: Request) -> str:
    """Return the media type of a request body without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(model: type[M], request: Request, max_bytes: int) -> tuple[M, Any]:
    """Read and parse a JSON body.

    Args:
        model: the pydantic model of the body.
        request: the request.
        max_bytes: maximum size of the body, bytes.

    Returns:
        The validated body, and the parsed JSON.

    Raises:
        Problem: it is too large, not JSON, or has invalid fields.
    """
    content_length = request.headers.get("content-length", "0")
    data = bytearray()
    # RateLimitMiddleware has checked that it is a number, and not a long one.
    if int(content_length) <= max_bytes:
        async for chunk in request.stream():
            data += chunk
            if len(data) > max_bytes:
                break
    if int(content_length) > max_bytes or len(data) > max_bytes:
        message = f"the limit for JSON is {counted(max_bytes, 'byte')} here"
        headers = {"Connection": "close"}
        raise Problem(413, f"The body is too large: {message}.", headers=headers)
    return await run_in_threadpool(parse_json, model, bytes(data))


def parse_json(model: type[M], data: bytes, part: str = "") -> tuple[M, Any]:
    """Parse JSON. This may take some time, so do not call it on the event loop.

    Args:
        model: the pydantic model of the document.
        data: the JSON.
        part: name of the form part that contains it; "" if it is the whole body.

    Returns:
        The validated document, and the parsed JSON.

    Raises:
        Problem: it is not JSON, or has invalid fields.
    """
    field = part or "body"
    if sum(data.count(sign) for sign in b",:[{\\") > _STRUCTURE_MAX:
        message = "it has too many values or escapes"
    else:
        try:
            value = json.loads(data, parse_int=_integer, parse_constant=_refuse)
        except RecursionError:
            message = "it is nested too deeply"
        except ValueError as error:
            message = str(error)
        else:
            return validate_body(model, value), value
    status = 422 if part else 400
    raise Problem(status, f"The {field} is not valid JSON: {message}.", errors=[(field, message)])


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError(f"a number has more than {_DIGITS_MAX} digits")
    return int(digits)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _replace_surrogates(value: Any, depth: int = 0) -> Any:
    """Replace surrogate escapes in the strings of a value: names need not be UTF-8."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list() if depth < _DEPTH:
            return [_replace_surrogates(one, depth + 1) for one in value]
        case dict() if depth < _DEPTH:
            return {
                _replace_surrogates(name): _replace_surrogates(one, depth + 1)
                for name, one in value.items()
            }
    return value


def validate_body(model: type[M], value: Any) -> M:
    """Validate a value.

    Args:
        model: the pydantic model.
        value: parsed JSON.

    Raises:
        Problem: fields are invalid.
    """
    try:
        return model.model_validate(_replace_surrogates(value))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise validation_problem(
            [{**one, "loc": ("body", *one["loc"])} for one in errors]
        ) from None


async def read_form(request: Request, limits: Limits) -> Form:
    """Read a multipart body whose files are images.

    Raises:
        Problem: it is not a multipart form, or too large.
    """

    class InMemory(MultiPartParser):
        spool_max_size = limits.body  # uploads never reach the disk

    parser = InMemory(
        request.headers,
        request.stream(),
        max_files=limits.images,
        max_fields=limits.terms,
        max_part_size=limits.json,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, f"The body is not a multipart form: {error.message}") from None
    except (KeyError, ValueError, UnicodeError):
        raise Problem(400, "The body is not a multipart form.") from None
    fields, images = {}, []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[name] = value
        elif (value.size or 0) > limits.image_bytes:
            raise Problem(413, f"An image may have at most {counted(limits.image_bytes, 'byte')}.")
        else:
            images.append(Part(name, await value.read()))
    await form.close()
    return Form(fields, images)
