from __future__ import annotations

from uuid import UUID

from api.models.wire import Amount, AnswerModel


class BalanceAnswer(AnswerModel):
    """balance: positive means that the banca owes the seller. creditLimit: null: none; "0.00": prepaid.

    available: what may still be sold; null: any amount. version moves with every change of the balance.
    """

    account_id: UUID
    balance: Amount
    credit_limit: Amount | None
    available: Amount | None
    version: int
