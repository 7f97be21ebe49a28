"""The errors that the command-line program turns into one line and an exit code."""


class BadInput(ValueError):
    """What the user gave cannot be used; the message says what was given, what was expected and what to do."""


class Diverged(ArithmeticError):
    """The loss became NaN or infinite; the message gives advice."""
