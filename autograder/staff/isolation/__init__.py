"""Runs a submission where it can see and change nothing but what it was given."""

# Sent by a confined process before any of the submission runs in it: what comes before is ours, what comes after may not be.
READY = b"\0"
