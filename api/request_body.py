"""What a request brings: its bytes as they were sent, and what the handler is given of them."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from aiohttp import web

from api.json_body import decode_object
from api.models.wire import RequestModel
from api.operations import Operation
from api.problems import refuse
from api.slow_lines import LeastRate
from api.validation import parse_model, parse_query
from core.slices import in_slices


class Nothing(RequestModel):
    """The body, or the query, of an operation that takes none."""


async def read_body(request: web.Request, bytes_max: int, rate: LeastRate) -> bytes:
    """The bytes as they were sent: they are what is signed.

    Raises ProblemError: CONTENT_ENCODING_UNSUPPORTED, BODY_TOO_LARGE, BODY_INCOMPLETE, BODY_TIMEOUT.
    """
    if not request.body_exists:
        return b""
    if "Content-Encoding" in request.headers:
        raise refuse(415, "CONTENT_ENCODING_UNSUPPORTED", "Send the body without a content encoding.")
    content = request.content
    if content.is_eof():  # It came with the headers, as small bodies do.
        body = content.read_nowait()
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
        return body
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    chunks, length = [], 0
    try:
        async with aclosing(rate.chunks(content)) as arriving:
            async for chunk in arriving:
                chunks.append(chunk)
                length += len(chunk)
                if length > bytes_max:
                    raise _too_large(bytes_max)
    except ConnectionError as error:
        # Nobody will read it; it is the client's doing and not ours.
        raise refuse(400, "BODY_INCOMPLETE", "The connection ended before the body did.") from error
    except TimeoutError:
        raise refuse(408, "BODY_TIMEOUT", "The body came too slowly, or not at all.") from None
    return b"".join(chunks)


def read_arguments(operation: Operation, request: web.Request, body: bytes) -> tuple[Any, ...]:
    """What the handler takes besides its context: the validated body, then the validated query.

    What is sent is used or refused, also where nothing is expected: an object without members is as good as no body.
    """
    arguments: tuple[Any, ...] = ()
    refuse_query(operation, request)
    if operation.body is None:
        if body:
            require_json(request)
            parse_model(Nothing, decode_object(body))
    elif operation.body_optional and not body:
        arguments = (parse_model(operation.body, {}),)
    else:
        require_json(request)
        if operation.read is not None:
            return (operation.read(body),)
        decoded = decode_object(body)
        arguments = (decoded if operation.raw_body else parse_model(operation.body, decoded),)
    if operation.query is not None:
        arguments += (parse_query(operation.query, request.query),)
    return arguments


async def read_long_arguments(operation: Operation, request: web.Request, body: bytes) -> tuple[Any, ...]:
    """As read_arguments, of an operation that reads its body in steps: the loop is given back between them."""
    assert operation.read_in_steps is not None, "only such operations"
    refuse_query(operation, request)
    require_json(request)
    return (await in_slices(operation.read_in_steps(body)),)


def refuse_query(operation: Operation, request: web.Request) -> None:
    """Raises ProblemError where no parameters are expected."""
    if operation.query is None and request.rel_url.raw_query_string:
        parse_query(Nothing, request.query)


def require_json(request: web.Request) -> None:
    content_type = request.headers.get("Content-Type", "")
    if content_type == "application/json":
        return
    kind, *parameters = content_type.split(";")
    named = (parameter.partition("=") for parameter in parameters)
    charsets = [value.strip().strip('"').lower() for name, _, value in named if name.strip().lower() == "charset"]
    # Parameters other than a charset mean nothing for JSON (RFC 8259, 11).
    if kind.strip().lower() != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise refuse(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json in UTF-8.")


def _too_large(bytes_max: int) -> Exception:
    return refuse(413, "BODY_TOO_LARGE", f"The body must not be larger than {bytes_max} bytes.")
