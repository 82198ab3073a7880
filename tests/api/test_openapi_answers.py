"""What is answered is what the OpenAPI document says and its examples show."""

from __future__ import annotations

from typing import Any

from api.examples import all_examples
from api.operations import Operation
from tests.api.every_operation import EveryOperation
from tests.api.test_openapi import described, faults
from tests.arena import Arena
from tests.running_api import RunningApi

# They answer by where they stand: the members of the one branch are not those of the other.
BRANCHES = frozenset(("cancel_by_sale_key", "explain_case"))
# Keyed by numbers or names of the day.
OPEN = frozenset(("numbers", "counts", "details", "rulesJson", "commissionPolicyJson", "settings", "detail", "checks"))


async def test_every_answer_is_what_its_schema_says_and_its_example_shows(api: RunningApi, arena: Arena) -> None:
    made = await EveryOperation.create(api, arena)
    compared, wrong = 0, {}
    for request in made.requests:
        answer = await made.ask(request)
        operation = request.operation
        if answer.status >= 300 or answer.headers.get("Content-Type") != "application/json":
            continue
        content = described(operation)["responses"][str(answer.status)]["content"]["application/json"]
        found = faults(answer.json(), content["schema"])
        if operation.id not in BRANCHES:
            found += strangers(operation, answer.status, answer.json())
        if found:
            wrong[operation.id] = found
        compared += 1
    assert wrong == {}
    assert compared > 80


def strangers(operation: Operation, status: int, answer: Any) -> list[str]:
    """Members of the answer that the example does not show. What a draw's result brings, an example may have before it."""
    return not_shown("", answer, all_examples()[operation.id].answers[str(status)])


def not_shown(path: str, answer: Any, example: Any) -> list[str]:
    if isinstance(answer, list) and isinstance(example, list):
        return not_shown(f"{path}[]", answer[0], example[0]) if answer and example else []
    if not (isinstance(answer, dict) and isinstance(example, dict)):
        return []
    if "type" in answer and answer["type"] != example.get("type"):
        return []
    found = [f"{path}.{name}" for name in sorted(answer.keys() - example.keys())]
    for name in answer.keys() & example.keys() - OPEN:
        found += not_shown(f"{path}.{name}", answer[name], example[name])
    return found
