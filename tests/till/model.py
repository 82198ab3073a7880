"""What the till promises, in plain words: tickets judged one after another, on plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from tests.till.tickets import Bet

# Code, number, cents that were left.
Short = tuple[str, str | None, int]


@dataclass(frozen=True)
class Content:
    draw: int
    bets: tuple[Bet, ...]


@dataclass(frozen=True)
class Asked:
    """version: of the rules that priced it."""

    seller: int
    key: str
    content: Content
    version: int = 0


@dataclass(frozen=True)
class Judged:
    """recorded, sequence: of the ticket that the key stands for."""

    verdict: str
    recorded: str | None = None
    sequence: int | None = None
    shorts: tuple[Short, ...] = ()


@dataclass
class Draw:
    status: str
    is_active: bool = True
    is_past_cutoff: bool = False
    sold: dict[int, int] = field(default_factory=dict)
    sequence: int = 0


@dataclass
class Account:
    """limit: None for none. basis_points: of the seller's own policy, credited to her; None without one."""

    limit: int | None
    basis_points: int | None
    balance: int = 0


@dataclass
class Answered:
    content: Content | None
    judged: Judged
    is_cancelled: bool = False


@dataclass
class Bank:
    version: int
    cap: int | None
    draws: list[Draw]
    accounts: list[Account]
    keys: dict[tuple[int, str], Answered] = field(default_factory=dict)
    events: int = 0

    def sell(self, batch: Sequence[Asked], start: Bank) -> list[Judged]:
        """start: a copy of this bank as it is now. Keys are distinct per seller inside a batch."""
        judged = [self.judge(asked, start) for asked in batch]
        self.events += any(one.verdict == "SOLD" for one in judged)
        return judged

    def judge(self, asked: Asked, start: Bank) -> Judged:
        """The next ticket in order of arrival: its verdict, and this bank becomes what it is after it.

        start: the bank when the batch began. What a ticket lacked already then is what its refusal says; only a
        ticket that could have passed by itself is told what its neighbours left. Sold or refused is all the same.
        """
        name = (asked.seller, asked.key)
        judged = self._known(asked) or self._closed(asked) or self._sold_or_short(asked, start)
        recorded = {
            "SOLD": "SOLD",
            "SOLD_OUT": "SOLD_OUT",
            "NO_FUNDS": "NO_FUNDS",
            "CLOSED": "CLOSED",
            "CUTOFF": "CLOSED",
        }
        if outcome := recorded.get(judged.verdict):
            self.keys[name] = Answered(asked.content, Judged("KNOWN", outcome, judged.sequence, judged.shorts))
        return judged

    def cancel(self, seller: int, sale_key: str) -> str:
        """By the key of the sale, each time with a new key of its own."""
        answered = self.keys.setdefault((seller, sale_key), Answered(None, Judged("TOMBSTONE")))
        if answered.content is None:
            return "CANCELLED_UNSOLD"
        if answered.judged.recorded != "SOLD":
            return "SALE_WAS_REFUSED"
        draw = self.draws[answered.content.draw]
        if answered.is_cancelled:
            return "TICKET_ALREADY_CANCELLED"
        if draw.status in ("CLOSED", "EVALUATED"):
            return "SORTEO_LOCKED"
        if draw.is_past_cutoff:
            return "SALES_CUTOFF_REACHED"
        answered.is_cancelled = True
        self.events += 1
        self._move(seller, answered.content, sign=-1)
        return "CANCELLED"

    def _known(self, asked: Asked) -> Judged | None:
        answered = self.keys.get((asked.seller, asked.key))
        if answered is None:
            return None
        if answered.content is None:
            return Judged("CANCELLED_BEFORE_SALE")
        return answered.judged if answered.content == asked.content else Judged("MISMATCH")

    def _closed(self, asked: Asked) -> Judged | None:
        draw = self.draws[asked.content.draw]
        if asked.version != self.version:
            return Judged("STALE")
        if draw.status in ("CLOSED", "EVALUATED"):
            return Judged("CLOSED", shorts=(("SORTEO_CLOSED", None, 0),))
        if draw.status != "OPEN" or not draw.is_active:
            return Judged("SORTEO_NOT_OPEN")
        if draw.is_past_cutoff:
            return Judged("CUTOFF", shorts=(("SALES_CUTOFF_REACHED", None, 0),))
        return None

    def _sold_or_short(self, asked: Asked, start: Bank) -> Judged:
        now = self._shorts(asked)
        # Nothing of a batch gives anything back, so what was short at its start is short in its turn.
        said = start._shorts(asked) or now
        assert bool(said) == bool(now), "arrival order decides who is sold"
        if said:
            codes = {code for code, _, _ in said}
            return Judged("SOLD_OUT" if "NUMBER_MAXTOTAL_EXCEEDED" in codes else "NO_FUNDS", shorts=tuple(said))
        self._move(asked.seller, asked.content, sign=1)
        draw = self.draws[asked.content.draw]
        draw.sequence += 1
        return Judged("SOLD", sequence=draw.sequence)

    def _shorts(self, asked: Asked) -> list[Short]:
        """Numbers first, then funds."""
        account, sold = self.accounts[asked.seller], self.draws[asked.content.draw].sold
        found: list[Short] = []
        for number, amount in sorted(_stakes(asked.content).items()):
            if self.cap is not None and sold.get(number, 0) + amount > self.cap:
                left = max(self.cap - sold.get(number, 0), 0)
                found.append(("NUMBER_MAXTOTAL_EXCEEDED", f"{number:02d}", left))
        if account.limit is not None and account.balance - _net(asked.content, account) < -account.limit:
            found.append(("INSUFFICIENT_FUNDS", None, account.balance + account.limit))
        return found

    def _move(self, seller: int, content: Content, *, sign: int) -> None:
        account, sold = self.accounts[seller], self.draws[content.draw].sold
        account.balance -= sign * _net(content, account)
        for number, amount in _stakes(content).items():
            sold[number] = sold.get(number, 0) + sign * amount


def _stakes(content: Content) -> dict[int, int]:
    """NUMERO and REVENTADO on a number count together."""
    stakes: dict[int, int] = {}
    for text, amount in content.bets:
        number = int(text.removeprefix("R"))
        stakes[number] = stakes.get(number, 0) + amount
    return stakes


def _net(content: Content, account: Account) -> int:
    """What the seller owes for the ticket: its total less her own commission, rounded line by line."""
    share = Decimal(account.basis_points or 0) / 10_000
    credit = sum(int((amount * share).quantize(Decimal(1), ROUND_HALF_UP)) for _, amount in content.bets)
    return sum(amount for _, amount in content.bets) - credit
