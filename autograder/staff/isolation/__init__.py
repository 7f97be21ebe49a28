"""The grader's side of the isolation: runs a submission where it can see and change nothing but what it was given."""
