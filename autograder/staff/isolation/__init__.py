"""Runs a submission where it can see and change nothing but what it was given."""
