"""Whether the cache and the broker that the settings name let us in: asked before anything is started.

One that is away is no reason not to start: sales need neither, and what needs it goes on when it is back. One that
refuses the login will do so for ever.
"""

from __future__ import annotations

import asyncio

from cli.progress import say
from cli.trouble import Trouble
from core.setting_values import shown_url
from core.settings import StackSettings

LOOK_TIMEOUT_S = 5.0
LATER = "up starts all the same, and uses it as soon as it can"


def require_usable_servers(settings: StackSettings) -> None:
    """Raises Trouble when one of them refuses us; says so when one does not answer."""
    if settings.redis_url is None and settings.amqp_url is None:
        return
    for name, url, reason, text in asyncio.run(_looks(settings)):
        if reason == "refused":
            raise Trouble(f"{name}={shown_url(url)} refuses the login: {text}")
        say(f"warning: {name}={shown_url(url)} cannot be used now ({reason}: {text}); {LATER}")


async def _looks(settings: StackSettings) -> list[tuple[str, str, str, str]]:
    """Name, URL, reason and text of what cannot be used."""
    from core.broker_probe import BrokerUnusableError, RabbitProbe, redis_reason
    from core.cache import Cache, CacheUnavailableError

    found = []
    if settings.redis_url is not None:
        cache = Cache(settings.redis_url, timeout_ms=round(LOOK_TIMEOUT_S * 1000))
        try:
            await cache.probe("banca:up")
        except CacheUnavailableError as error:
            found.append(("REDIS_URL", settings.redis_url, redis_reason(error.__cause__), str(error.__cause__)))
        finally:
            await cache.close()
    if settings.amqp_url is not None:
        probe = RabbitProbe(settings.amqp_url, timeout_s=LOOK_TIMEOUT_S)
        try:
            await probe.look()
        except BrokerUnusableError as error:
            found.append(("AMQP_URL", settings.amqp_url, error.reason, str(error)))
        finally:
            await probe.close()
    return found
