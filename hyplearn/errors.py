"""The two ways in which a command of `hyplearn` ends badly; each prints its text, one line, and no traceback."""


class BadInput(Exception):
    """What was asked for cannot be meant: exit code 2. The text names the argument and the fix."""


class Failed(Exception):
    """The request was right and something went wrong: exit code 1. The text says what, and what mends it."""
