"""The same work beside other frameworks: ``python -m benchmarks --help``."""
