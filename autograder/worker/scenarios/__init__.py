"""Scenarios: each uses the submission on given arrays and returns plain arrays. None knows what is right.

``SCENARIOS[name](student, given)`` runs in the submission's process. A check in another process judges what it returns.
"""

# Each of these files puts its scenarios into SCENARIOS when it is imported.
from autograder.worker.scenarios import engine, layers, program
from autograder.worker.scenarios.common import SCENARIOS

__all__ = ["SCENARIOS", "engine", "layers", "program"]
