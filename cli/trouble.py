from __future__ import annotations


class Trouble(Exception):  # noqa: N818 - it names what it is: trouble a person can mend, not a defect
    """Expected trouble: its text is the one line that a person sees, without a traceback."""

    exit_code = 1


class UsageTrouble(Trouble):
    """The command line asks for something that does not exist."""

    exit_code = 2
