"""Run a module as a program, for a person who may interrupt it: `python -m cli.program MODULE`.

An interrupt while its modules load ends it without a traceback; then it has handlers of its own.
"""

from __future__ import annotations

import runpy
import signal
import sys

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
