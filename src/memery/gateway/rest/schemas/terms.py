"""The terms of a search, as a request names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from memery.errors import ImageError, QueryError
from memery.gateway.rest.schemas import parameters
from memery.gateway.rest.schemas.answers import TermDocument
from memery.gateway.rest.schemas.problems import Problem, of_error
from memery.gateway.rest.state import Service
from memery.query.terms import Term

TERMS_MAX = 1000
"""Terms of a request that are looked at one by one; a query may have fewer (`Limits.terms`)."""


@dataclass(frozen=True, slots=True)
class ParsedTerm:
    """A term of a request.

    Attributes:
        field: the parameter that it is from.
        term: what is searched for.
        document: how the answer shows it.
    """

    field: str
    term: Term
    document: TermDocument


class TermRequest(BaseModel):
    """A text, the id of an indexed image, of an upload, or the name of a part; and its boost."""

    model_config = ConfigDict(extra="forbid")

    text: parameters.Text | None = None
    id: parameters.Name | None = None
    upload: parameters.Name | None = None
    image: parameters.Name | None = None
    boost: parameters.Boost = 1.0

    def parse(self, served: Service, field: str, parts: Mapping[str, bytes]) -> ParsedTerm:
        """What is searched for; `field` is the term's own name in the request."""
        kinds = self.model_dump(exclude={"boost"}, exclude_none=True)
        if len(kinds) != 1:
            message = "give one of text, id, upload and image"
            raise Problem(422, "A term is off.", errors=[(field, message)])
        ((kind, value),) = kinds.items()
        return make_term(served, f"{field}.{kind}", kind, value, self.boost, parts)


def make_term(
    served: Service, field: str, kind: str, value: str, boost: float, parts: Mapping[str, bytes]
) -> ParsedTerm:
    """A term of a kind: "text", "id", "upload", or "image" for the name of a part."""
    try:
        match kind:
            case "text":
                return ParsedTerm(field, Term(value, boost=boost), {"text": value, "boost": boost})
            case "id":
                return ParsedTerm(field, Term(id=value, boost=boost), {"id": value, "boost": boost})
            case "upload":
                upload = served.uploads.get(value)
                if upload is None:
                    message = "this upload is not known any more: send the picture again"
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
        raise of_error(error, field) from None


def refuse_large(served: Service, terms: Sequence[ParsedTerm]) -> None:
    """A picture of this request is held to the limits of one that is kept."""
    for one in terms:
        if "image" in one.document and isinstance(one.term.image, bytes):
            try:
                served.uploads.check(one.term.image)
            except ImageError as error:
                raise of_error(error, one.field) from None
