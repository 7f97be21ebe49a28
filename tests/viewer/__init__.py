"""Tests of mytorch.viewer."""
