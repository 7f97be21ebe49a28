"""The grader's side of the isolation; autograder/worker is the submission's side."""
