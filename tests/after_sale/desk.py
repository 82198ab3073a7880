"""Who pays, restores and excludes, as an API process has it; and a draw with a result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from uuid import UUID

from core.cash_memos import CashMemos, Ended, EndingKind, EndingRequest, NotEnded
from core.domain.permissions import Role
from core.till.after_sale import AfterSale
from core.till.listas import ListaAnswer, ListaMoved, ListaRequest
from core.till.order import Actor
from core.till.payments import PaymentAnswer, PaymentOperation, PaymentRequest, Settled
from core.till.refusals import Refused
from core.till.restores import RestoreAnswer, Restored, RestoreRequest
from tests.arena import Arena, Seller
from tests.evaluating import Evaluator, draw_now, request, request_revert
from tests.pos import new_key
from tests.till.shop import Shop, sold
from tests.till.tickets import Bet, actor_of, sale, ticket


@dataclass
class Desk:
    arena: Arena
    shop: Shop
    after_sale: AfterSale
    memos: CashMemos
    # (account, balance, version), as readers were told.
    balances: list[tuple[UUID, int, int]] = field(default_factory=list)
    admin_id: UUID | None = None

    @classmethod
    def of(cls, arena: Arena, shop: Shop) -> Desk:
        balances: list[tuple[UUID, int, int]] = []

        def publish(banca_id: UUID, account_id: UUID, *, balance_cents: int, version: int) -> None:
            balances.append((account_id, balance_cents, version))

        after_sale = AfterSale.over(
            shop.caller, database=shop.database, rulebooks=shop.rulebooks, publish_balance=publish
        )
        return cls(arena, shop, after_sale, CashMemos(shop.caller, publish_balance=publish), balances)

    async def sell(
        self, *bets: Bet, seller: Seller | None = None, sorteo_id: UUID | None = None, multiplier_id: UUID | None = None
    ) -> UUID:
        """The ticket's id."""
        asked = ticket(sorteo_id or self.arena.sorteo_id, *bets, multiplier_id=multiplier_id)
        return sold(await self.shop.sell(sale(seller or self.arena.seller, asked))).id

    async def pay(
        self,
        ticket_id: UUID,
        cents: int,
        *,
        key: str | None = None,
        is_final: bool = False,
        actor: Actor | None = None,
        method: str = "cash",
    ) -> PaymentAnswer:
        content = f"{cents} {is_final} {method}"
        asked = self.payment(ticket_id, PaymentOperation.PAY, key=key, content=content, actor=actor)
        asked = replace(asked, amount_cents=cents, method=method, is_final=is_final)
        return await self.after_sale.cashier.settle(asked)

    async def reverse(self, ticket_id: UUID, *, key: str | None = None, actor: Actor | None = None) -> PaymentAnswer:
        asked = self.payment(ticket_id, PaymentOperation.REVERSE, key=key, actor=actor)
        return await self.after_sale.cashier.settle(asked)

    async def finalize(self, ticket_id: UUID, *, key: str | None = None, actor: Actor | None = None) -> PaymentAnswer:
        asked = self.payment(ticket_id, PaymentOperation.FINALIZE, key=key, actor=actor)
        return await self.after_sale.cashier.settle(asked)

    async def end_memo(
        self,
        ticket_id: UUID,
        kind: EndingKind,
        cents: int | None = None,
        *,
        key: str | None = None,
        actor_id: UUID | None = None,
    ) -> Ended | NotEnded:
        """As the banca's administrator unless told otherwise; all that is open unless told."""
        acting = actor_id or await self.administrator()
        digest = hashlib.sha256(f"{kind} {ticket_id} {cents}".encode()).digest()
        return await self.memos.end(
            EndingRequest(
                self.arena.banca_id, acting, key or new_key(), digest, "test", ticket_id, kind, cents, "it came back"
            )
        )

    async def administrator(self) -> UUID:
        """The one who ends memos unless another is named; before many of them end at once."""
        if self.admin_id is None:
            self.admin_id = (await self.arena.add_user(Role.BANCA)).id
        return self.admin_id

    def payment(
        self,
        ticket_id: UUID,
        operation: PaymentOperation,
        *,
        key: str | None = None,
        content: str = "",
        actor: Actor | None = None,
    ) -> PaymentRequest:
        digest = hashlib.sha256(f"{operation} {ticket_id} {content}".encode()).digest()
        acting = actor or actor_of(self.arena.seller)
        return PaymentRequest(acting, key or new_key(), digest, "test", ticket_id, operation)

    async def restore(
        self, ticket_id: UUID, *, key: str | None = None, actor: Actor | None = None, seller: Seller | None = None
    ) -> RestoreAnswer:
        digest = hashlib.sha256(f"restore {ticket_id}".encode()).digest()
        asked = actor or actor_of(seller or self.arena.seller)
        return await self.after_sale.restorer.restore(
            RestoreRequest(asked, key or new_key(), digest, "test", ticket_id)
        )

    async def exclude(self, key: str | None = None, /, **scope: UUID | None) -> ListaAnswer:
        """The arena's ventana unless another is named; see lista()."""
        return await self.after_sale.listas.exclude(self.lista("exclude", key, **scope), reason="not handed in")

    async def include(self, key: str | None = None, /, **scope: UUID | None) -> ListaAnswer:
        return await self.after_sale.listas.include(self.lista("include", key, **scope))

    def lista(
        self,
        action: str,
        key: str | None,
        /,
        *,
        ventana_id: UUID | None = None,
        vendedor_id: UUID | None = None,
        multiplier_id: UUID | None = None,
        sorteo_id: UUID | None = None,
    ) -> ListaRequest:
        arena = self.arena
        place = (sorteo_id or arena.sorteo_id, ventana_id or arena.ventana_id, vendedor_id, multiplier_id)
        digest = hashlib.sha256(f"{action} {place}".encode()).digest()
        return ListaRequest(arena.banca_id, arena.seller.id, key or new_key(), digest, "test", *place)


async def draw(arena: Arena, evaluator: Evaluator, number: str, *, extra: UUID | None = None) -> None:
    """The arena's first draw is over, and has this result."""
    await draw_now(arena.owner, arena.sorteo_id)
    assert await request(arena, number, extra=extra) == "REQUESTED"
    await evaluator.finish()


def settled(answer: PaymentAnswer) -> Settled:
    assert isinstance(answer, Settled), answer
    return answer


def restored(answer: RestoreAnswer) -> Restored:
    assert isinstance(answer, Restored), answer
    return answer


def moved(answer: ListaAnswer) -> ListaMoved:
    assert isinstance(answer, ListaMoved), answer
    return answer


def ended(answer: Ended | NotEnded) -> Ended:
    assert isinstance(answer, Ended), answer
    return answer


async def correct(arena: Arena, evaluator: Evaluator, number: str) -> None:
    """The first draw's result is taken back, by force, and becomes this one."""
    assert await request_revert(arena, force=True) == "REQUESTED"
    await evaluator.finish()
    await draw(arena, evaluator, number)


def code(answer: object) -> str:
    """What it was refused for."""
    assert isinstance(answer, Refused), answer
    return answer.code
