"""The product's own tests, organised as the code is."""
