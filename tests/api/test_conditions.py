"""Entity tags and If-Match: of two who change what both have read, one is told to read again."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from api.conditional import IfMatch
from api.operations import Operation
from api.routes import OPERATIONS
from core.domain.permissions import Role
from core.queries import sql
from tests.api.ruling import API, OVERRIDES, Ruler, limits, places, ruler, somebody_waits
from tests.arena import Arena
from tests.pos import new_key
from tests.running_api import RunningApi
from tests.workers.pipeline import eventually

# What changes something and has no tag to compare, and why a lost update cannot happen there.
WITHOUT_TAG = {
    # Makes something new.
    *("login", "create_terminal", "create_restrictions", "create_override", "create_multiplier", "create_sorteo"),
    *("sell_ticket", "sell_batch", "seed_sorteos", "register_movement"),
    # Bound to an Idempotency-Key, and judged under the locks of draw and account by what the ticket is then.
    *("cancel_by_sale_key", "cancel_ticket", "restore_ticket", "pay_ticket", "reverse_payment", "finalize_payment"),
    *("exclude_lista", "include_lista", "reverse_movement", "reset_balance"),
    *("settle_cash_memo", "write_off_cash_memo"),
    # Done once, whoever asks first.
    *("refresh", "logout", "logout_all", "revoke_session", "delete_statement", "replay_dead_letter"),
    "drop_dead_letter",
    # One more run of a job; the same one while it is unfinished.
    *("run_job", "trigger_job", "execute_auto_open", "execute_auto_create", "execute_auto_close"),
    *("execute_settlement", "execute_auto_date"),
    # Changes nothing.
    "explain_case",
}
CHANGING = [operation for operation in OPERATIONS if operation.method not in ("GET", "HEAD")]
CONDITIONAL = [operation for operation in CHANGING if operation.if_match is not IfMatch.NONE]
POLICY = {"commissionPolicyJson": {"version": 1, "defaultPercent": "7.00", "rules": []}}


@dataclass(frozen=True)
class Change:
    """thing: the address of what is changed, where it can be read. path: of the change, below it or elsewhere."""

    thing: str
    document: Any = None
    path: str = ""
    status: int = 200

    @property
    def target(self) -> str:
        return self.thing + self.path


@pytest.fixture
async def admin(api: RunningApi, arena: Arena) -> Ruler:
    return await ruler(api, arena, Role.ADMIN)


async def changes(admin: Ruler, arena: Arena) -> dict[str, Change]:
    """A change that succeeds for every operation that takes a condition, each of a thing of its own."""
    paths = places(arena)
    of_user = {"scope": "USER", "loteriaId": str(arena.loteria_id), "baseMultiplierX": 85}
    overrides = []
    for _ in range(3):
        seller = await arena.add_seller()
        written = await admin.write("POST", OVERRIDES, {**of_user, "scopeId": str(seller.id)})
        overrides.append(f"{OVERRIDES}/{written['id']}")
    rules = []
    for number in ("01", "02", "03"):
        rule = await admin.restrict(bancaId=str(arena.banca_id), number=number, maxTotal="1.00")
        rules.append(f"{API}/restrictions/{rule['id']}")
    for path in (overrides[2], rules[2]):
        await admin.write("DELETE", path)
    terminals = [f"{API}/terminals/{(await arena.add_terminal()).id}" for _ in range(3)]
    await admin.write("POST", f"{terminals[2]}/disable")

    async def draw(status: str, minutes: float = 24 * 60, *, is_active: bool = True) -> str:
        sorteo_id = await arena.add_sorteo(minutes=minutes, status=status)
        await arena.owner.execute("UPDATE sorteos SET is_active = $2 WHERE id = $1", sorteo_id, is_active)
        return f"{API}/sorteos/{sorteo_id}"

    return {
        "rotate_terminal": Change(terminals[0], {}, "/rotate"),
        "disable_terminal": Change(terminals[1], None, "/disable"),
        "enable_terminal": Change(terminals[2], None, "/enable"),
        "change_sorteos_auto_config": Change(f"{API}/sorteos/auto-config", {"autoOpenEnabled": True}),
        "change_settlement_config": Change(f"{API}/account-statements/auto-config", {"batchSize": 70}),
        "change_job": Change(f"{API}/admin/jobs/job-runs-cleanup", {"retentionDays": 777}),
        "change_restriction": Change(rules[0], {"maxTotal": "2.00"}),
        "deactivate_restriction": Change(rules[1]),
        "restore_restriction": Change(rules[2], None, "/restore"),
        "change_override": Change(overrides[0], {"baseMultiplierX": "70.00"}),
        "deactivate_override": Change(overrides[1]),
        "restore_override": Change(overrides[2], None, "/restore"),
        "set_banca_policy": Change(f"{API}/bancas/{arena.banca_id}/commission-policy", POLICY),
        "set_ventana_policy": Change(f"{API}/ventanas/{arena.ventana_id}/commission-policy", POLICY),
        "set_user_policy": Change(f"{API}/users/{arena.seller.id}/commission-policy", POLICY),
        "change_banca_settings": Change(paths["settings"], {"defaultMinBet": "3.00"}),
        "set_loteria_setting": Change(
            paths["loteria setting"], {"baseMultiplierX": "88.00", "maxTotalPerSorteo": None}
        ),
        "change_loteria": Change(paths["loteria"], {"rulesJson": {"digits": 2, "minBetAmount": "5.00"}}),
        "change_multiplier": Change(paths["multiplier"], {"valueX": "91.00"}),
        "set_sorteo_limits": Change(paths["limits"], limits("9.00", n07="1.00")),
        "change_sorteo": Change(await draw("SCHEDULED", 100), {"name": "Nueva"}),
        "open_sorteo": Change(await draw("SCHEDULED", 110), None, "/open"),
        "close_sorteo": Change(await draw("OPEN", 120), None, "/close"),
        "force_open_sorteo": Change(await draw("CLOSED", 130), None, "/force-open"),
        "deactivate_sorteo": Change(await draw("OPEN", 140), None, "/deactivate"),
        "restore_sorteo": Change(await draw("OPEN", 150, is_active=False), None, "/restore"),
        "evaluate_sorteo": Change(await draw("CLOSED", -5), {"winningNumber": "07"}, "/evaluate", 202),
        "revert_evaluation": Change(await draw("CLOSED", 160), {"reason": "wrong"}, "/revert-evaluation", 409),
        "retry_evaluation": Change(await draw("CLOSED", 170), None, "/evaluation/retry", 409),
    }


def test_whatever_changes_something_takes_a_condition_or_is_known_to_need_none() -> None:
    assert {operation.id for operation in CHANGING if operation.if_match is IfMatch.NONE} == WITHOUT_TAG


def test_whoever_replaces_a_whole_must_say_what_he_has_read() -> None:
    for operation in CHANGING:
        if operation.method == "PUT":
            assert operation.if_match is IfMatch.REQUIRED, operation.id
    with pytest.raises(ValueError, match="requires If-Match"):
        Operation(
            **{name: getattr(CHANGING[0], name) for name in ("path", "handler", "permission", "tags", "responses")},
            method="PUT",
        )


async def test_a_change_is_refused_unless_the_thing_is_as_it_was_read(admin: Ruler, arena: Arena) -> None:
    table = await changes(admin, arena)
    assert set(table) == {operation.id for operation in CONDITIONAL}
    for operation in CONDITIONAL:
        change = table[operation.id]
        read = await admin.send("GET", change.thing)
        assert read.status == 200, (operation.id, read.body)
        tag = read.headers["ETag"]
        for other in ('"nonsense"', f"W/{tag}", f'{tag[:-1]}0"', '"a", "b" , ,'):
            answer = await admin.send(operation.method, change.target, change.document, if_match=other)
            assert (answer.status, answer.code) == (412, "PRECONDITION_FAILED"), (operation.id, other, answer.body)
            assert answer.headers["ETag"] == tag, operation.id
        for malformed in ("nonsense", '"a" "b"', '"a', "*, *", "", f"*, {tag}"):
            answer = await admin.send(operation.method, change.target, change.document, if_match=malformed)
            assert (answer.status, answer.code) == (400, "PRECONDITION_INVALID"), (operation.id, malformed)
        if operation.if_match is IfMatch.REQUIRED or operation.whole_fields:
            answer = await admin.send(operation.method, change.target, change.document, if_match=None)
            assert (answer.status, answer.code) == (428, "PRECONDITION_REQUIRED"), operation.id
        unchanged = await admin.send("GET", change.thing)
        assert unchanged.headers["ETag"] == tag, operation.id

        answer = await admin.send(operation.method, change.target, change.document, if_match=f'"x", {tag}')
        assert answer.status == change.status, (operation.id, answer.body)
        now = (await admin.send("GET", change.thing)).headers["ETag"]
        if operation.tagged:
            assert answer.headers["ETag"] == now != tag, operation.id
            again = await admin.send(operation.method, change.target, change.document, if_match=tag)
            assert (again.status, again.headers["ETag"]) == (412, now), operation.id


async def test_what_makes_a_thing_answers_with_its_tag(admin: Ruler, arena: Arena) -> None:
    tomorrow = {"loteriaId": str(arena.loteria_id), "scheduledAt": "2026-12-24T19:30:00-06:00"}
    of_ventana = {"scope": "VENTANA", "scopeId": str(arena.ventana_id), "loteriaId": str(arena.loteria_id)}
    for path, document, where in (
        (f"{API}/terminals", {"ventanaId": str(arena.ventana_id)}, f"{API}/terminals"),
        (OVERRIDES, {**of_ventana, "baseMultiplierX": 80}, OVERRIDES),
        (places(arena)["multipliers"], {"name": "Doble", "valueX": 95}, f"{API}/multipliers"),
        (f"{API}/sorteos", tomorrow, f"{API}/sorteos"),
    ):
        made = await admin.send("POST", path, document)
        assert made.status == 201, made.body
        read = await admin.send("GET", f"{where}/{made.json()['id']}")
        assert made.headers["ETag"] == read.headers["ETag"], path


async def test_what_has_no_tag_never_fits_one(admin: Ruler, arena: Arena) -> None:
    """A condition that cannot be judged is not taken for granted."""
    for method, path, document in (
        ("POST", f"{API}/restrictions", {"bancaId": str(arena.banca_id), "maxTotal": 1}),
        ("POST", f"{API}/loterias/{arena.loteria_id}/seed_sorteos", None),
        ("GET", f"{API}/sorteos", None),
        ("GET", "/health/live", None),
    ):
        refused = await admin.send(method, path, document, if_match='"nonsense"')
        assert (refused.status, refused.code) == (412, "PRECONDITION_FAILED"), path
        assert "ETag" not in refused.headers
        malformed = await admin.send(method, path, document, if_match="nonsense")
        assert (malformed.status, malformed.code) == (400, "PRECONDITION_INVALID"), path


async def test_a_sale_does_not_ignore_a_condition_either(api: RunningApi, arena: Arena) -> None:
    headers = {"If_Match": '"nonsense"', "Idempotency_Key": new_key()}
    answer = await api.post(f"{API}/tickets/cancel", {"saleKey": new_key()}, token=arena.seller.token, **headers)
    # Unsigned: that comes first, as everywhere.
    assert answer.code == "SIGNATURE_REQUIRED"


async def test_a_read_is_not_sent_again_to_whom_has_it(admin: Ruler, arena: Arena) -> None:
    headers = {"Authorization": f"Bearer {admin.person.token}"}
    for operation in OPERATIONS:
        if not (operation.tagged and operation.method == "GET"):
            continue
        rule = (
            await admin.restrict(bancaId=str(arena.banca_id), number="77", maxTotal="1.00", loteriaId=None)
            if (operation.id == "get_restriction")
            else {"id": ""}
        )
        of_ventana = {"scope": "VENTANA", "scopeId": str(arena.ventana_id), "loteriaId": str(arena.loteria_id)}
        override = (
            await admin.write("POST", OVERRIDES, {**of_ventana, "baseMultiplierX": 80})
            if operation.id == "get_override"
            else {"id": ""}
        )
        ids = {
            "terminalId": arena.seller.terminal.id, "loteriaId": arena.loteria_id, "sorteoId": arena.sorteo_id,
            "multiplierId": arena.multiplier_id, "bancaId": arena.banca_id, "ventanaId": arena.ventana_id,
            "userId": arena.seller.id, "name": "settlement", "restrictionId": rule["id"], "overrideId": override["id"],
        }  # fmt: skip
        path = operation.path.format_map(ids)
        tag = (await admin.send("GET", path)).headers["ETag"]
        answer = await admin.api.send("GET", path, headers={**headers, "If-None-Match": f'"x", W/{tag}'})
        # A job shows its runs as well, for which its tag does not stand.
        wanted = (200, True) if operation.id == "get_job" else (304, False)
        assert (answer.status, bool(answer.body)) == wanted, path
        assert answer.headers["ETag"] == tag, path
        fitting = await admin.send("GET", path, if_match=tag)
        other = await admin.send("GET", path, if_match='"nonsense"')
        assert (fitting.status, other.status) == (200, 412), path


async def test_a_change_for_what_is_not_known_yet_is_refused_where_it_is_known(admin: Ruler, arena: Arena) -> None:
    """If-None-Match on a write: the thing is there, so `*` never holds, and neither does its own tag."""
    path = places(arena)["settings"]
    tag = (await admin.send("GET", path)).headers["ETag"]
    headers = {"Authorization": f"Bearer {admin.person.token}", "Content-Type": "application/json"}
    for known, status in (("*", 412), (tag, 412), (f"W/{tag}", 412), ('"other"', 200)):
        sent = {**headers, "If-None-Match": known}
        answer = await admin.api.send("PATCH", path, body=b'{"defaultMinBet": "4.00"}', headers=sent)
        assert answer.status == status, (known, answer.body)


async def test_of_fifteen_who_read_the_same_limits_one_replaces_them(admin: Ruler, arena: Arena) -> None:
    path = places(arena)["limits"]
    tag = (await admin.send("GET", path)).headers["ETag"]
    answers = await asyncio.gather(
        *(admin.send("PUT", path, limits(f"{n}.00", n07="1.00"), if_match=tag) for n in range(1, 16))
    )
    assert Counter(answer.status for answer in answers) == {200: 1, 412: 14}
    [written] = [answer for answer in answers if answer.status == 200]
    assert {answer.headers["ETag"] for answer in answers} == {written.headers["ETag"]}
    assert (await admin.get(path))["globalLimit"] == written.json()["globalLimit"]


LOCKS: dict[str, str] = {
    "rotate_terminal": "UPDATE terminals SET name = 'first' WHERE id = $1",
    "disable_terminal": "UPDATE terminals SET name = 'first' WHERE id = $1",
    "close_sorteo": "UPDATE sorteos SET name = 'first' WHERE id = $1",
    "change_sorteo": "UPDATE sorteos SET name = 'first' WHERE id = $1",
    "evaluate_sorteo": "UPDATE sorteos SET name = 'first' WHERE id = $1",
    "change_loteria": "UPDATE loterias SET name = 'first' WHERE id = $1",
    "change_restriction": "UPDATE restriction_rules SET message = 'first' WHERE id = $1",
    "change_override": "UPDATE multiplier_overrides SET x_hundredths = 700 WHERE id = $1",
    "change_multiplier": "UPDATE loteria_multipliers SET name = 'first' WHERE id = $1",
}


@pytest.mark.parametrize("name", LOCKS)
async def test_who_waits_for_another_change_compares_with_what_that_one_left(
    admin: Ruler, arena: Arena, name: str
) -> None:
    [operation] = [operation for operation in CONDITIONAL if operation.id == name]
    change = (await changes(admin, arena))[name]
    tag = (await admin.send("GET", change.thing)).headers["ETag"]
    async with arena.owner.transaction():
        await arena.owner.execute(LOCKS[name], UUID(change.thing.rpartition("/")[2]))
        write = asyncio.create_task(admin.send(operation.method, change.target, change.document, if_match=tag))
        await eventually(lambda: somebody_waits(arena.owner))
    assert (await write).code == "PRECONDITION_FAILED"
    assert (await admin.send("GET", change.thing)).headers["ETag"] != tag


async def test_settings_of_jobs_are_compared_under_their_locks(admin: Ruler, arena: Arena) -> None:
    """Also when the other changes another job than this one, and both show the two."""
    path = f"{API}/sorteos/auto-config"
    tag = (await admin.send("GET", path)).headers["ETag"]
    async with arena.owner.transaction():
        await arena.owner.execute(sql("jobs/lock_settings"), arena.banca_id, "sorteos-auto-close")
        write = asyncio.create_task(admin.send("PATCH", path, {"autoOpenEnabled": True}, if_match=tag))
        await eventually(lambda: somebody_waits(arena.owner))
        await arena.owner.execute(
            "INSERT INTO job_settings (banca_id, job, is_enabled, since, updated_at) VALUES ($1, 'sorteos-auto-close', true, now(), now())",
            arena.banca_id,
        )
    assert (await write).code == "PRECONDITION_FAILED"
    assert await admin.get(path) == {"autoOpenEnabled": False, "autoCreateEnabled": False, "autoCloseEnabled": True}
