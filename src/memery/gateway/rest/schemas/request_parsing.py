"""Bodies of requests: JSON, and multipart that stays in memory."""

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
from memery.gateway.rest.schemas.problems import Problem, invalid
from memery.text.plurals import counted

M = TypeVar("M", bound=BaseModel)

_STRUCTURE_MAX = 1 << 15
"""Signs in JSON that separate values or begin an escape. Parsing holds the interpreter's lock, and
so stops all threads: some 10 ms for so many, half a second for 6 MB of them."""
_DIGITS_MAX = 100
"""Of an integer. Converting many takes quadratic time, and Python's own limit has a message for
programmers."""
_DEPTH = 4
"""Of what a request says, at most; what is deeper is of no kind that is asked for."""
JSON_TYPE, MULTIPART = "application/json", "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Part:
    """A picture of a multipart body."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body."""

    fields: dict[str, str]
    pictures: Sequence[Part]


def content_type(request: Request) -> str:
    """The media type of a request's body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(model: type[M], request: Request, most: int) -> tuple[M, Any]:
    """A JSON body of at most so many bytes: as a model has it, and as it was sent.

    Raises:
        Problem: it is larger, not JSON, or has invalid fields.
    """
    stated = request.headers.get("content-length", "0")
    data = bytearray()
    # A stated length has been compared with the limit of all bodies: it is a number, and not long.
    if int(stated) <= most:
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                break
    if int(stated) > most or len(data) > most:
        message = f"JSON may have {counted(most, 'byte')} here"
        headers = {"Connection": "close"}
        raise Problem(413, f"The body is too large: {message}.", headers=headers)
    return await run_in_threadpool(parse_json, model, bytes(data))


def parse_json(model: type[M], data: bytes, part: str = "") -> tuple[M, Any]:
    """JSON as a model has it, and as it was sent. It may take a while: not for the event loop.

    Args:
        model: what it should be.
        data: as it was sent.
        part: the part of a multipart body that it is; "" if it is the body.

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
            return checked(model, value), value
    status = 422 if part else 400
    raise Problem(status, f"The {field} is not valid JSON: {message}.", errors=[(field, message)])


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError(f"a number has more than {_DIGITS_MAX} digits")
    return int(digits)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _sound(value: Any, depth: int = 0) -> Any:
    """A value whose texts are Unicode: a name that is not UTF-8 may stand in one."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list() if depth < _DEPTH:
            return [_sound(one, depth + 1) for one in value]
        case dict() if depth < _DEPTH:
            return {_sound(name): _sound(one, depth + 1) for name, one in value.items()}
    return value


def checked(model: type[M], value: Any) -> M:
    """A value as a model has it; `Problem` where it is off."""
    try:
        return model.model_validate(_sound(value))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid([{**one, "loc": ("body", *one["loc"])} for one in errors]) from None


async def read_form(request: Request, limits: Limits) -> Form:
    """A multipart body whose files are pictures; `Problem` where it is none, or too much."""

    class InMemory(MultiPartParser):
        spool_max_size = limits.body  # nothing that is uploaded is written to disk

    parser = InMemory(
        request.headers,
        request.stream(),
        max_files=limits.pictures,
        max_fields=limits.terms,
        max_part_size=limits.json,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, f"The body is no multipart form: {error.message}") from None
    except (KeyError, ValueError, UnicodeError):
        raise Problem(400, "The body is no multipart form.") from None
    fields, pictures = {}, []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[name] = value
        elif (value.size or 0) > limits.picture:
            raise Problem(413, f"A picture may have {counted(limits.picture, 'byte')} at most.")
        else:
            pictures.append(Part(name, await value.read()))
    await form.close()
    return Form(fields, pictures)
