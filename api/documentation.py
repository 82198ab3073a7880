"""/openapi.json, and Swagger UI at /api-docs from files of our own."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orjson
from aiohttp import web

from api.openapi import describe
from api.operations import Operation

FILES = Path(__file__).parent / "static" / "docs"
# Swagger UI sets styles on its elements; it runs no script but its own two files.
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
}
ASSET_AGE_S = 3600


def add_documentation(app: web.Application, operations: tuple[Operation, ...]) -> None:
    @cache
    def document() -> bytes:
        return orjson.dumps(describe(operations, version=own_version()))

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=document(), content_type="application/json")

    app.router.add_get("/openapi.json", openapi)
    # With and without the slash: a redirect would be one more thing to go wrong behind a proxy.
    app.router.add_get("/api-docs", page)
    app.router.add_get("/api-docs/", page)
    app.router.add_get("/api-docs/{file}", asset)


async def page(_: web.Request) -> web.Response:
    return web.Response(
        body=read("index.html"),
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": CONTENT_SECURITY,
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
        },
    )


async def asset(request: web.Request) -> web.Response:
    name = request.match_info["file"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    return web.Response(
        body=read(name),
        content_type=ASSETS[name],
        charset="utf-8",
        headers={"Cache-Control": f"public, max-age={ASSET_AGE_S}"},
    )


@cache
def read(name: str) -> bytes:
    return (FILES / name).read_bytes()


def own_version() -> str:
    try:
        return version("banca")
    except PackageNotFoundError:  # run from the source tree, not installed
        return "0"
