"""What is done with tickets that are sold, besides their cancel: all of it over one caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from core.database import Database
from core.rulebooks import RulebookStore
from core.till.caller import Caller
from core.till.listas import Listas
from core.till.payments import Cashier
from core.till.restores import Restorer
from core.till.till import PublishBalance


@dataclass(frozen=True, slots=True)
class AfterSale:
    restorer: Restorer
    cashier: Cashier
    listas: Listas

    @classmethod
    def over(
        cls, caller: Caller, *, database: Database, rulebooks: RulebookStore, publish_balance: PublishBalance
    ) -> Self:
        return cls(
            Restorer(caller, database=database, rulebooks=rulebooks, publish_balance=publish_balance),
            Cashier(caller),
            Listas(caller, publish_balance=publish_balance),
        )
