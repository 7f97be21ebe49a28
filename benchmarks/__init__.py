"""Benchmarks beside other frameworks: ``python -m benchmarks --help``."""
