"""Tests of mytorch.nn."""
