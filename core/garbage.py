"""The garbage collector of a process that serves: it looks seldom, and never at what will stay."""

from __future__ import annotations

import gc

# Objects come and go with their requests, by their reference counts. What a collection would find is what a failed
# request left in a circle with its traceback; that may wait. The default, 700, spent a seventh of the API's time
# looking (py-spy record --native).
YOUNG_MAX = 50_000


def tame() -> None:
    """Call it once the process is ready to serve: what exists by then is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 20, 100)
