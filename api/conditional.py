"""Answers that clients keep for a while, and ask about again by their tag."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

TAG_BYTES = 12


def tagged_response(request: web.Request, document: Mapping[str, Any], *, cache_control: str) -> web.Response:
    """The document with a weak tag of its content, or 304 when the client has it already.

    What it says depends on who asks, and for which banca.
    """
    body = orjson.dumps(document)
    tag = f'W/"{hashlib.sha256(body).hexdigest()[: 2 * TAG_BYTES]}"'
    headers = {"ETag": tag, "Cache-Control": cache_control, "Vary": "Authorization, X-Active-Banca-Id"}
    if has_tag(request.headers.get("If-None-Match", ""), tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


def has_tag(header: str, tag: str) -> bool:
    """Compared weakly (RFC 9110 §13.1.2)."""
    listed = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in listed or tag.removeprefix("W/") in listed
