"""Bodies of requests: JSON, and multipart that stays in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from memery.gateway.rest.options import Limits
from memery.gateway.rest.problems import Problem, invalid

M = TypeVar("M", bound=BaseModel)

_FIELD_BYTES = 1 << 20
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


async def read_json(request: Request) -> Any:
    """A JSON body; `Problem` where it is none."""
    try:
        return json.loads(await request.body(), parse_constant=_refuse)
    except RecursionError:
        message = "it is nested too deeply"
    except ValueError as error:
        message = str(error)
    raise Problem(400, f"The body is not JSON: {message}.", errors=[("body", message)])


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
        max_part_size=_FIELD_BYTES,
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
            raise Problem(413, f"A picture may have {limits.picture} bytes at most.")
        else:
            pictures.append(Part(name, await value.read()))
    await form.close()
    return Form(fields, pictures)
