"""The trust boundary: everything that runs beside a submission, and nothing else. Nothing here knows an expected value."""

# Sent by a confined process before it runs the submission. Everything after this byte may come from the submission.
READY = b"\0"
