"""The grader on Autolab and Gradescope: unpacked there from a package, it grades one hand-in."""
