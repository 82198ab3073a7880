"""Entity tags (RFC 9110 §8.8) and the conditions that clients make with them: If-Match, If-None-Match.

A tag is a digest of what a thing is, so that the read of a thing and the answer of its change carry the same one. Who
changes a thing compares the tag under the same lock as the write: of several writers that read the same, one writes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel

from api.models.wire import AnswerModel
from api.problems import Problem, ProblemError, refuse

TAG_BYTES = 12
ANY = "*"
# A list may have empty elements (RFC 9110 §5.6.1).
_ELEMENT = re.compile(r'[ \t]*(?:(?P<tag>(?:W/)?"[\x21\x23-\x7e\x80-\U0010ffff]*")[ \t]*)?(?:,|$)')


class IfMatch(Enum):
    """What an operation makes of the header.

    NONE: its address has no tag: a condition that names tags never holds, and `*` always does.
    OPTIONAL: the tag of the thing is compared under the lock of the write. REQUIRED: without the header, 428.
    """

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


def tag_of(answer: BaseModel) -> str:
    """The strong tag of a thing, from the answer that shows it, without the members that are not part of the thing."""
    left_out = answer.NOT_TAGGED if isinstance(answer, AnswerModel) else frozenset()
    members = answer.model_dump(mode="json", by_alias=True, exclude=set(left_out))
    return f'"{_digest(orjson.dumps(members, option=orjson.OPT_SORT_KEYS))}"'


def tagged_response(request: web.Request, document: Mapping[str, Any], *, cache_control: str) -> web.Response:
    """The document with a weak tag of its content, or 304 when the client has it already.

    What it says depends on who asks, and for which banca.
    """
    body = orjson.dumps(document)
    tag = weak_tag(body)
    headers = {"ETag": tag, "Cache-Control": cache_control, "Vary": "Authorization, X-Active-Banca-Id"}
    if is_known(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


def weak_tag(body: bytes) -> str:
    return f'W/"{_digest(body)}"'


def refuse_condition(rule: IfMatch, request: web.Request, *, replaces_whole: bool = False) -> None:
    """What can be said of the request's If-Match before the thing is read.

    replaces_whole: this request replaces a whole, also where the operation does not always.
    Raises ProblemError: PRECONDITION_INVALID, PRECONDITION_REQUIRED, PRECONDITION_FAILED.
    """
    wanted = wanted_tags(request)
    if wanted is None:
        if rule is IfMatch.REQUIRED or replaces_whole:
            detail = "This replaces a whole: read it, and send its ETag as If-Match; or * for whatever it is now."
            raise refuse(428, "PRECONDITION_REQUIRED", detail)
    elif rule is IfMatch.NONE and ANY not in wanted:
        raise refuse(412, "PRECONDITION_FAILED", "What is asked for has no tag: leave If-Match out.")


def require_match(request: web.Request, known: BaseModel) -> None:
    """Raises ProblemError PRECONDITION_FAILED, with the tag of today, when the thing is not as the client wants it.

    known: the answer that shows the thing, read under the lock of the write.
    """
    tag = tag_of(known)
    if not _is_wanted(request, tag) or is_known(request, tag):
        raise _changed(tag)


def is_unchanged(request: web.Request, tag: str) -> bool:
    """Whether a read is answered with 304. Raises ProblemError PRECONDITION_FAILED when If-Match wants another tag."""
    if not _is_wanted(request, tag):
        raise _changed(tag)
    return is_known(request, tag)


def wanted_tags(request: web.Request) -> frozenset[str] | None:
    """The tags of If-Match, or `*` alone; None: no such header. A weak tag is kept as such: it matches no strong one.

    Raises ProblemError PRECONDITION_INVALID.
    """
    lines = request.headers.getall("If-Match", None)
    if lines is None:
        return None
    sent = ",".join(lines)
    if sent.strip(" \t") == ANY:
        return frozenset((ANY,))
    tags = set()
    place = 0
    while place < len(sent):
        element = _ELEMENT.match(sent, place)
        if element is None:
            raise _invalid()
        if element["tag"] is not None:
            tags.add(element["tag"])
        place = element.end()
    if not tags:
        raise _invalid()
    return frozenset(tags)


def is_known(request: web.Request, tag: str) -> bool:
    """Whether If-None-Match names the tag; compared weakly (RFC 9110 §13.1.2)."""
    listed = [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]
    return ANY in listed or tag.removeprefix("W/") in listed


def _is_wanted(request: web.Request, tag: str) -> bool:
    wanted = wanted_tags(request)
    return wanted is None or ANY in wanted or tag in wanted


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[: 2 * TAG_BYTES]


def _changed(tag: str) -> ProblemError:
    detail = "It is not as your If-Match or If-None-Match says: read it again, and decide anew."
    return ProblemError(Problem(412, "PRECONDITION_FAILED", detail, headers={"ETag": tag}))


def _invalid() -> ProblemError:
    detail = 'If-Match is * or a list of tags as ETag gave them, in their quotes: "0a1b2c".'
    return refuse(400, "PRECONDITION_INVALID", detail)
