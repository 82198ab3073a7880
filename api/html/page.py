"""A page from the template, and an answer that is a page for people and JSON for programs."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web
from pydantic import BaseModel

from api.conditional import is_known, weak_tag

_TEMPLATE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
_STYLE = _TEMPLATE.template.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing is loaded and no script runs: the page's own style is named by its hash, its icon is empty.
CONTENT_SECURITY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HTML = "text/html"
JSON = "application/json"
_CODE = re.compile(r"`([^`]*)`")
_STRONG = re.compile(r"\*\*([^*]*)\*\*")
_QUALITY = re.compile(r"[ \t]*q[ \t]*=[ \t]*([01](?:\.[0-9]{0,3})?)[ \t]*", re.IGNORECASE)


def page(title: str, content: str) -> str:
    """title: plain text. content: HTML, whose texts are escaped."""
    return _TEMPLATE.substitute(title=escape(title), content=content)


def marked(text: str) -> str:
    """Escaped text in which `names` and **weight** are marked."""
    return _STRONG.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", escape(text)))


def wants_html(accept: str | None) -> bool:
    """Whether the client names HTML, and likes JSON no better. Browsers do; programs, and curl, do not."""
    html, json = _quality(accept or "", HTML), _quality(accept or "", JSON)
    return html > 0 and html >= json


def _quality(accept: str, wanted: str) -> float:
    """What the Accept header gives a type that it names; 0 where it does not (RFC 9110 §12.5.1)."""
    for part in accept.split(","):
        kind, *parameters = part.split(";")
        if kind.strip().lower() == wanted:
            found = next(filter(None, map(_QUALITY.fullmatch, parameters)), None)
            return float(found[1]) if found else 1.0
    return 0.0


def negotiated(request: web.Request, answer: BaseModel, html: str, *, cache_control: str) -> web.Response:
    """The page or the JSON, as the client likes it; 304 when it has that already."""
    is_page = wants_html(request.headers.get("Accept"))
    body = html.encode() if is_page else answer.model_dump_json(by_alias=True).encode()
    tag = weak_tag(body)
    headers = {"ETag": tag, "Cache-Control": cache_control, "Vary": "Accept"}
    if is_known(request, tag):
        return web.Response(status=304, headers=headers)
    if is_page:
        headers |= {
            "Content-Security-Policy": CONTENT_SECURITY,
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
        }
    kind, charset = (HTML, "utf-8") if is_page else (JSON, None)
    return web.Response(body=body, content_type=kind, charset=charset, headers=headers)
