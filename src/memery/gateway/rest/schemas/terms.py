"""Parses the terms of a search request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from memery.errors import ImageError, QueryError
from memery.gateway.rest.schemas import parameters
from memery.gateway.rest.schemas.problems import Problem, problem_from_error
from memery.gateway.rest.schemas.responses import TermDocument
from memery.gateway.rest.state import ServerState
from memery.query.terms import Term

TERMS_MAX = 1000
"""Maximum number of terms that are validated one by one; `Limits.terms` is lower."""


@dataclass(frozen=True, slots=True)
class ParsedTerm:
    """A term of a request.

    Attributes:
        field: the request field that it comes from.
        term: the term.
        document: its form in the response.
    """

    field: str
    term: Term
    document: TermDocument


class TermRequest(BaseModel):
    """A text, the id of an indexed image or upload, or the name of a form part; and its boost."""

    model_config = ConfigDict(extra="forbid")

    text: parameters.Text | None = None
    id: parameters.Name | None = None
    upload: parameters.Name | None = None
    image: parameters.Name | None = None
    boost: parameters.Boost = 1.0

    def parse(self, state: ServerState, field: str, parts: Mapping[str, bytes]) -> ParsedTerm:
        """Parse the term.

        Args:
            state: the state of the server.
            field: the request field of the term.
            parts: form parts with images, by name.

        Raises:
            Problem: the term is invalid.
        """
        kinds = self.model_dump(exclude={"boost"}, exclude_none=True)
        if len(kinds) != 1:
            message = "give one of text, id, upload and image"
            raise Problem(422, "Invalid term.", errors=[(field, message)])
        ((kind, value),) = kinds.items()
        return make_term(state, f"{field}.{kind}", kind, value, self.boost, parts)


def make_term(
    state: ServerState, field: str, kind: str, value: str, boost: float, parts: Mapping[str, bytes]
) -> ParsedTerm:
    """Make a term.

    Args:
        state: the state of the server.
        field: the request field of the term.
        kind: "text", "id", "upload", or "image" for the name of a form part.
        value: the text, id or name.
        boost: the boost.
        parts: form parts with images, by name.

    Raises:
        Problem: the term is invalid, or the upload or part does not exist.
    """
    try:
        match kind:
            case "text":
                return ParsedTerm(field, Term(value, boost=boost), {"text": value, "boost": boost})
            case "id":
                return ParsedTerm(field, Term(id=value, boost=boost), {"id": value, "boost": boost})
            case "upload":
                upload = state.uploads.get(value)
                if upload is None:
                    message = "this upload no longer exists: send the image again"
                    raise Problem(404, f"{field}: {message}.", errors=[(field, message)])
                term = Term(image=upload.data, boost=boost)
                return ParsedTerm(field, term, {"upload": value, "boost": boost})
            case _:
                if value not in parts:
                    message = f"the body has no file named {value!r}"
                    raise Problem(422, f"{field}: {message}.", errors=[(field, message)])
                term = Term(image=parts[value], boost=boost)
                return ParsedTerm(field, term, {"image": value, "boost": boost})
    except QueryError as error:
        raise problem_from_error(error, field) from None


def check_images(state: ServerState, terms: Sequence[ParsedTerm]) -> None:
    """Check the images in a request against the limits of uploads.

    Raises:
        Problem: an image is too large or cannot be decoded.
    """
    for one in terms:
        if "image" in one.document and isinstance(one.term.image, bytes):
            try:
                state.uploads.check(one.term.image)
            except ImageError as error:
                raise problem_from_error(error, one.field) from None
