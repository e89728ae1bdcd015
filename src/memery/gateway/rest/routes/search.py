"""`/v1/search`, `/v1/images/{id}/similar`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.concurrency import run_in_threadpool

from memery.errors import ImageUnknown, QueryError, QueryImageError
from memery.gateway.collections import Answer
from memery.gateway.rest.schemas import parameters, request_parsing
from memery.gateway.rest.schemas.answers import (
    JSON,
    SearchDocument,
    hit_document,
    image_document,
    took_document,
)
from memery.gateway.rest.schemas.parameters import CollectionName, Searched, SearchedBySight
from memery.gateway.rest.schemas.problems import Problem, of_error
from memery.gateway.rest.schemas.terms import (
    TERMS_MAX,
    ParsedTerm,
    TermRequest,
    make_term,
    refuse_large,
)
from memery.gateway.rest.state import Served, Service, base_path
from memery.query.options import SearchOptions
from memery.query.terms import Query as SearchQuery
from memery.query.terms import Term
from memery.query.text_search.query_words import parse_text, split_boost
from memery.text.plurals import counted

router = APIRouter(tags=["search"])
DESCRIBED: dict[int | str, dict[str, Any]] = {200: {"model": SearchDocument}}


class SearchBody(BaseModel):
    """A search, besides its parameters."""

    model_config = ConfigDict(extra="forbid")

    query: list[TermRequest] = Field(min_length=1, max_length=TERMS_MAX)
    collection: parameters.Name | None = None
    explain: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters of the search."""
        return self.model_dump(exclude={*SearchBody.model_fields}, exclude_none=True)


SearchRequest: type[SearchBody] = create_model(
    "SearchRequest", __base__=SearchBody, __doc__="A search.", **parameters.body_fields()
)


def _body_schema() -> dict[str, Any]:
    """The JSON schema of a body, which refers to no other."""
    schema = SearchRequest.model_json_schema()
    schema["properties"]["query"]["items"] = schema.pop("$defs")["TermRequest"]
    return schema


Listed = list[parameters.Text]
Explain = Annotated[bool, Query(description="Explain how each result was ranked.")]


@router.get("/v1/search", responses=DESCRIBED, response_model=None)
def search(
    request: Request,
    served: Served,
    options: Searched,
    text: Annotated[Listed, Query(description="Texts; `dog^2` counts double, `-cat` less.")] = [],  # noqa: B006 - FastAPI copies defaults
    not_: Annotated[Listed, Query(alias="not", description="Less of this.")] = [],  # noqa: B006 - FastAPI copies defaults
    similar_to: Annotated[Listed, Query(description="Ids of images.")] = [],  # noqa: B006 - FastAPI copies defaults
    unlike: Annotated[Listed, Query(description="Ids of images, to find less.")] = [],  # noqa: B006 - FastAPI copies defaults
    upload: Annotated[Listed, Query(description="Ids of uploads.")] = [],  # noqa: B006 - FastAPI copies defaults
    not_upload: Annotated[Listed, Query(description="Likewise, to find less.")] = [],  # noqa: B006 - FastAPI copies defaults
    collection: CollectionName = None,
    explain: Explain = False,
) -> JSON:
    """Find images by texts, by indexed images, by uploaded pictures, or by all of these."""
    terms = []
    for field, kind, sign, values in (
        ("text", "text", 1, text),
        ("not", "text", -1, not_),
        ("similar_to", "id", 1, similar_to),
        ("unlike", "id", -1, unlike),
        ("upload", "upload", 1, upload),
        ("not_upload", "upload", -1, not_upload),
    ):
        for value in values:
            try:
                parts = parse_text(value) if field == "text" else [split_boost(value)]
            except QueryError as error:
                raise of_error(error, field) from None
            for name, boost in parts:
                terms.append(make_term(served, field, kind, name, sign * boost, {}))
    return _answer(request, served, terms, options, collection, explain=explain)


@router.post(
    "/v1/search",
    responses=DESCRIBED,
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _body_schema()},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["search"],
                        "properties": {
                            "search": {
                                "type": "string",
                                "description": "The object of application/json, as text.",
                            }
                        },
                        "additionalProperties": {"type": "string", "format": "binary"},
                    }
                },
            },
        }
    },
)
async def search_by_body(request: Request, served: Served) -> JSON:
    """The same with a body: JSON, or multipart with a part `search` and pictures to search for."""
    limits = served.options.limits
    parts: dict[str, bytes] = {}
    match request_parsing.content_type(request):
        case request_parsing.JSON_TYPE:
            body, value = await request_parsing.read_json(SearchRequest, request, limits.json)
        case request_parsing.MULTIPART:
            form = await request_parsing.read_form(request, limits)
            parts = {part.name: part.data for part in form.pictures}
            data = form.fields.get("search", "").encode()
            body, value = await run_in_threadpool(
                request_parsing.parse_json, SearchRequest, data, "search"
            )
        case _:
            raise Problem(415, "A search is application/json or multipart/form-data.")
    folders = parameters.raw_folders(value)
    return await run_in_threadpool(_search_by_body, request, served, body, folders, parts)


def _search_by_body(
    request: Request,
    served: Service,
    body: SearchBody,
    folders: dict[str, Any],
    parts: Mapping[str, bytes],
) -> JSON:
    options = parameters.make_options(body.values, folders)
    terms = [term.parse(served, f"query.{number}", parts) for number, term in enumerate(body.query)]
    return _answer(request, served, terms, options, body.collection, explain=body.explain)


@router.get("/v1/images/{id}/similar", responses=DESCRIBED, response_model=None)
def similar(
    request: Request,
    served: Served,
    options: SearchedBySight,
    id_: Annotated[str, Path(alias="id")],
    collection: CollectionName = None,
    explain: Explain = False,
) -> JSON:
    """The images most like one; itself and its copies left out."""
    term = ParsedTerm("id", Term(id=id_), {"id": id_, "boost": 1.0})
    found = served.collections.similar(id_, options, known(served, collection))
    return _document(request, served, [term], "visual", found, explain=explain)


def known(served: Service, collection: str | None) -> str | None:
    """The collection's name, if there is one of that name."""
    if collection is not None:
        try:
            served.collections[collection]
        except QueryError as error:
            raise Problem(404, str(error), errors=[("collection", str(error))]) from None
    return collection


def refuse_away(served: Service, names: Sequence[str]) -> None:
    """Nothing is found where no folder is there: that is not an answer."""
    if not any(served.collections[name].is_available for name in names):
        message = f"{', '.join(names)} cannot be reached: is the disk connected?"
        raise Problem(503, message, headers={"Retry-After": "10"})


def _answer(
    request: Request,
    served: Service,
    terms: Sequence[ParsedTerm],
    options: SearchOptions,
    collection: str | None,
    *,
    explain: bool,
) -> JSON:
    most = served.options.limits.terms
    if not 0 < len(terms) <= most:
        message = f"give from 1 to {counted(most, 'term')}"
        raise Problem(422, f"There is no such query: {message}.", errors=[("text", message)])
    refuse_large(served, terms)
    query = SearchQuery(tuple(one.term for one in terms))
    try:
        found = served.collections.search(query, options, known(served, collection))
    except ImageUnknown as error:
        field = next(one.field for one in terms if one.term.id == error.id)
        raise of_error(error, field) from None
    except QueryImageError as error:
        fields = [one.field for one in terms if one.term.image is not None]
        raise of_error(error, fields[error.term]) from None
    return _document(request, served, terms, options.mode, found, explain=explain)


def _document(
    request: Request,
    served: Service,
    terms: Sequence[ParsedTerm],
    mode: str,
    found: Answer,
    *,
    explain: bool,
) -> JSON:
    results = found.results
    if not results.total:
        refuse_away(served, found.searched)
    served.metrics.searched(results.took)
    root_path = base_path(request)
    hits = [
        hit_document(image_document(image, root_path), hit, explain=explain)
        for image, hit in zip(found.images, results, strict=True)
    ]
    document: SearchDocument = {
        "query": [one.document for one in terms],
        "mode": mode,
        "model_id": results.model_id,
        "collections": list(found.searched),
        "left_out": list(found.left_out),
        "warnings": list(results.warnings),
        "total": results.total,
        "strong": results.strong,
        "took_ms": took_document(results.took),
        "anything_strong": any(not hit.weak for hit in results),
        "hits": hits,
    }
    return JSON(document)
