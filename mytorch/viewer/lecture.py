"""The functions of the lecture's examples, in plain NumPy, each with its point and a title.

Pages show their lines as those of a user's program: this file is run as one, under a name of its own.
"""

import numpy as np


def two_paths(x1, x2):
    v0 = np.log(x1)
    v1 = x1 * x2
    v2 = np.sin(x2)
    v3 = v0 + v1
    return v3 - v2


def exponential(x1, x2):
    exponent = 1.5 * x1 + 2 * x2
    return x1 + np.exp(exponent)


def used_twice(w1, w2):
    u = w2 * np.log(w1)
    return u + np.sqrt(u)


def used_again(x):
    y = np.exp(x)
    return y * np.sin(x) + y


EXAMPLES = {
    "two-paths": (two_paths, (2.0, 5.0), "ln x₁ + x₁ x₂ − sin x₂ at (2, 5)"),
    "exponential": (exponential, (3.0, 0.5), "x₁ + exp(1.5 x₁ + 2 x₂) at (3, 0.5)"),
    "used-twice": (used_twice, (4.0, 2.0), "w₂ ln w₁ + √(w₂ ln w₁) at (4, 2)"),
    "used-again": (used_again, (1.0,), "y sin x + y with y = exp x, at x = 1"),
}
