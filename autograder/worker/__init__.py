"""All that runs beside a submission, and nothing else. No file here knows an expected value, or imports one that does."""

# A confined process sends this byte before any of the submission runs in it: what comes after may be the submission's.
READY = b"\0"
