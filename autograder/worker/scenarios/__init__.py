"""Scenarios: each uses the submission on given arrays and returns plain arrays. None knows an expected value.

``SCENARIOS[name](student, given)`` runs in the submission's process. A check in another process judges what it returns.
"""

# Importing a file registers its scenarios.
from autograder.worker.scenarios import bytecode, engine, layers, lists, program, recorded
from autograder.worker.scenarios.common import SCENARIOS, find

__all__ = ["SCENARIOS", "find", "bytecode", "engine", "layers", "lists", "program", "recorded"]
