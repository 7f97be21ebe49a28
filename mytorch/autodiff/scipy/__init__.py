"""Derivatives of SciPy's functions: an extra for those who have SciPy.

Importing this registers rules for the ufuncs of scipy.special, which work as they are from then on. SciPy's other functions
copy their arguments into plain arrays, so they are offered under the same names by the modules ``special``, ``linalg``,
``stats``, ``integrate``, ``signal`` and ``sparse``: for a traced argument they apply a rule, for any other they call SciPy.
"""
