"""A database that refuses some of its batches, whatever is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.arena import Owner

# Raises the SQLSTATE for those attempts; a sequence is not rolled back.
STUMBLE = """
CREATE SEQUENCE stumbles;
GRANT USAGE ON SEQUENCE stumbles TO banca_definer;
CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    attempt bigint := nextval('stumbles');
BEGIN
    IF attempt BETWEEN {first} AND {last} THEN
        RAISE EXCEPTION 'stumbled' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_stumbles AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION stumble();
"""


async def stumble(owner: Owner, *, first: int = 1, last: int, sqlstate: str) -> None:
    """From now on, at the attempts from first to last."""
    await owner.execute(STUMBLE.format(first=first, last=last, sqlstate=sqlstate))


async def attempts(owner: Owner) -> int:
    """How many there were, those that stumbled too."""
    count: int = await owner.fetchval("SELECT last_value FROM stumbles")
    return count
