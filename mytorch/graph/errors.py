"""NoPlan: why an operation list cannot be replayed."""


class NoPlan(Exception):
    """A step that stays eager; the message is the reason, for people."""
