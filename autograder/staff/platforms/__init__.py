"""The packages for Autolab and Gradescope."""
