"""The homework: autograder, handout and hand-in."""
