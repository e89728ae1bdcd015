"""`/v1/search`, `/v1/images/{id}/similar`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.concurrency import run_in_threadpool

from memery.errors import ImageUnknown, QueryError, QueryImageError
from memery.gateway.collections import CollectionResults
from memery.gateway.rest.schemas import parameters, request_parsing
from memery.gateway.rest.schemas.parameters import CollectionName, SearchParams, VisualSearchParams
from memery.gateway.rest.schemas.problems import Problem, problem_from_error
from memery.gateway.rest.schemas.responses import (
    JSON,
    SearchDocument,
    hit_document,
    image_document,
    took_document,
)
from memery.gateway.rest.schemas.terms import (
    TERMS_MAX,
    ParsedTerm,
    TermRequest,
    check_images,
    make_term,
)
from memery.gateway.rest.state import ServerState, State, base_path
from memery.query.options import SearchOptions
from memery.query.terms import Query as SearchQuery
from memery.query.terms import Term
from memery.query.text_search.query_words import parse_text, split_boost
from memery.text.plurals import counted

router = APIRouter(tags=["search"])
RESPONSES: dict[int | str, dict[str, Any]] = {200: {"model": SearchDocument}}


class SearchBody(BaseModel):
    """A search body, except its search parameters."""

    model_config = ConfigDict(extra="forbid")

    query: list[TermRequest] = Field(min_length=1, max_length=TERMS_MAX)
    collection: parameters.Name | None = None
    explain: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The search parameters in the body."""
        return self.model_dump(exclude={*SearchBody.model_fields}, exclude_none=True)


SearchRequest: type[SearchBody] = create_model(
    "SearchRequest", __base__=SearchBody, __doc__="A search.", **parameters.body_fields()
)


def _body_schema() -> dict[str, Any]:
    """The JSON schema of a body, without references to other schemas."""
    schema = SearchRequest.model_json_schema()
    schema["properties"]["query"]["items"] = schema.pop("$defs")["TermRequest"]
    return schema


TextList = list[parameters.Text]
Explain = Annotated[bool, Query(description="Explain how each result was ranked.")]


@router.get("/v1/search", responses=RESPONSES, response_model=None)
def search(
    request: Request,
    state: State,
    options: SearchParams,
    text: Annotated[TextList, Query(description="Texts; `dog^2` counts double, `-cat` less.")] = [],  # noqa: B006 - FastAPI copies defaults
    not_: Annotated[TextList, Query(alias="not", description="Texts to find less of.")] = [],  # noqa: B006 - FastAPI copies defaults
    similar_to: Annotated[TextList, Query(description="Ids of images to find more of.")] = [],  # noqa: B006 - FastAPI copies defaults
    unlike: Annotated[TextList, Query(description="Ids of images to find less of.")] = [],  # noqa: B006 - FastAPI copies defaults
    upload: Annotated[TextList, Query(description="Ids of uploads to find more of.")] = [],  # noqa: B006 - FastAPI copies defaults
    not_upload: Annotated[TextList, Query(description="Ids of uploads to find less of.")] = [],  # noqa: B006 - FastAPI copies defaults
    collection: CollectionName = None,
    explain: Explain = False,
) -> JSON:
    """Find images by texts, indexed images, uploaded images, or any combination."""
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
                raise problem_from_error(error, field) from None
            for name, boost in parts:
                terms.append(make_term(state, field, kind, name, sign * boost, {}))
    return _answer(request, state, terms, options, collection, explain=explain)


@router.post(
    "/v1/search",
    responses=RESPONSES,
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
async def search_by_body(request: Request, state: State) -> JSON:
    """Search with a body: JSON, or multipart with a part `search` and image files."""
    limits = state.options.limits
    parts: dict[str, bytes] = {}
    match request_parsing.content_type(request):
        case request_parsing.JSON_TYPE:
            body, value = await request_parsing.read_json(SearchRequest, request, limits.json)
        case request_parsing.MULTIPART:
            form = await request_parsing.read_form(request, limits)
            parts = {part.name: part.data for part in form.images}
            data = form.fields.get("search", "").encode()
            body, value = await run_in_threadpool(
                request_parsing.parse_json, SearchRequest, data, "search"
            )
        case _:
            raise Problem(415, "Send a search as application/json or multipart/form-data.")
    folders = parameters.raw_folders(value)
    return await run_in_threadpool(_search_by_body, request, state, body, folders, parts)


def _search_by_body(
    request: Request,
    state: ServerState,
    body: SearchBody,
    folders: dict[str, Any],
    parts: Mapping[str, bytes],
) -> JSON:
    options = parameters.make_options(body.values, folders)
    terms = [term.parse(state, f"query.{number}", parts) for number, term in enumerate(body.query)]
    return _answer(request, state, terms, options, body.collection, explain=body.explain)


@router.get("/v1/images/{id}/similar", responses=RESPONSES, response_model=None)
def similar(
    request: Request,
    state: State,
    options: VisualSearchParams,
    id_: Annotated[str, Path(alias="id")],
    collection: CollectionName = None,
    explain: Explain = False,
) -> JSON:
    """Find the images most like a given one, without itself and its exact copies."""
    term = ParsedTerm("id", Term(id=id_), {"id": id_, "boost": 1.0})
    found = state.collections.similar(id_, options, collection_name(state, collection))
    return _document(request, state, [term], "visual", found, explain=explain)


def collection_name(state: ServerState, collection: str | None) -> str | None:
    """Check the name of a collection.

    Returns:
        The name; None means all collections.

    Raises:
        Problem: 404, there is no such collection.
    """
    if collection is not None:
        try:
            state.collections[collection]
        except QueryError as error:
            raise Problem(404, str(error), errors=[("collection", str(error))]) from None
    return collection


def require_available(state: ServerState, names: Sequence[str]) -> None:
    """Refuse to report no results if no folder is reachable.

    Raises:
        Problem: 503, none of the collections is reachable.
    """
    if not any(state.collections[name].is_available for name in names):
        message = f"{', '.join(names)} cannot be reached. Is the disk connected?"
        raise Problem(503, message, headers={"Retry-After": "10"})


def _answer(
    request: Request,
    state: ServerState,
    terms: Sequence[ParsedTerm],
    options: SearchOptions,
    collection: str | None,
    *,
    explain: bool,
) -> JSON:
    max_terms = state.options.limits.terms
    if not 0 < len(terms) <= max_terms:
        message = f"give 1 to {counted(max_terms, 'term')}"
        raise Problem(422, f"Invalid query: {message}.", errors=[("text", message)])
    check_images(state, terms)
    query = SearchQuery(tuple(parsed.term for parsed in terms))
    try:
        found = state.collections.search(query, options, collection_name(state, collection))
    except ImageUnknown as error:
        field = next(parsed.field for parsed in terms if parsed.term.id == error.id)
        raise problem_from_error(error, field) from None
    except QueryImageError as error:
        fields = [parsed.field for parsed in terms if parsed.term.image is not None]
        raise problem_from_error(error, fields[error.term]) from None
    return _document(request, state, terms, options.mode, found, explain=explain)


def _document(
    request: Request,
    state: ServerState,
    terms: Sequence[ParsedTerm],
    mode: str,
    found: CollectionResults,
    *,
    explain: bool,
) -> JSON:
    results = found.results
    if not results.total:
        require_available(state, found.searched)
    state.metrics.count_search(results.took)
    root_path = base_path(request)
    hits = [
        hit_document(image_document(image, root_path), hit, explain=explain)
        for image, hit in zip(found.images, results, strict=True)
    ]
    document: SearchDocument = {
        "query": [parsed.document for parsed in terms],
        "mode": mode,
        "model_id": results.model_id,
        "collections": list(found.searched),
        "left_out": list(found.omitted),
        "warnings": list(results.warnings),
        "total": results.total,
        "strong": results.strong,
        "took_ms": took_document(results.took),
        "anything_strong": any(not hit.weak for hit in results),
        "hits": hits,
    }
    return JSON(document)
