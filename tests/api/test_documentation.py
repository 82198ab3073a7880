from __future__ import annotations

import re

from openapi_spec_validator import OpenAPIV31SpecValidator

from api.operations import PUBLIC
from api.routes import OPERATIONS
from tests.running_api import RunningApi


async def test_the_openapi_document_is_valid_and_complete(api: RunningApi) -> None:
    answer = await api.get("/openapi.json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(operation.method, operation.path) for operation in OPERATIONS}
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


async def test_the_document_says_what_must_be_signed(api: RunningApi) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    for operation in OPERATIONS:
        security = paths[operation.path][operation.method.lower()]["security"]
        if operation.permission is PUBLIC:
            assert security == []
        else:
            assert ("signature" in security[0]) == operation.signed
            assert "bearer" in security[0]


async def test_every_operation_has_a_summary(api: RunningApi) -> None:
    for operation in OPERATIONS:
        assert operation.summary != operation.id, operation.path


async def test_swagger_ui_comes_from_our_own_files_without_a_redirect(api: RunningApi) -> None:
    for address in ("/api-docs", "/api-docs/"):
        page = await api.get(address)
        assert page.status == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert b"http://" not in page.body
        assert b"https://" not in page.body
        for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page.body.decode()):
            assert (await api.get(asset)).status == 200, asset
        assert re.search(rb"<script(?! src)", page.body) is None


async def test_nothing_else_can_be_read_from_the_folder(api: RunningApi) -> None:
    for name in ("..%2f..%2fapp.py", "%2e%2e/documentation.py", "LICENSE.html", ""):
        assert (await api.get(f"/api-docs/x/{name}")).status == 404
    assert (await api.get("/api-docs/..%2f..%2fapp.py")).status == 404
