"""Errors that the command-line program turns into one line and an exit code."""


class BadInput(ValueError):
    """Input that cannot be used. The message says what was given, what was expected and what to do."""


class Diverged(ArithmeticError):
    """Loss that became NaN or infinite. The message gives advice."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a training as Ctrl-C does."""
