"""Colours: what is told apart by colour is told apart by readers who see fewer of them."""

import itertools
import re

import numpy as np
import pytest

from mytorch.viewer import page

STYLE = (page.files("mytorch.viewer") / "assets" / "theme.css").read_text(encoding="utf-8")
# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency" (2009).
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def themes():
    """The colours of both themes by name, as linear red, green and blue."""
    found = []
    for block in re.findall(r":root[^{]*\{([^}]*)\}", STYLE):
        colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6})", block))
        if colours:
            found.append({name: linear(text) for name, text in colours.items()})
    return found


def linear(text):
    levels = np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def oklab(colour):
    """The place of a colour in a space whose distances are those that people see (Ottosson, 2020)."""
    cones = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]) @ np.clip(
        colour, 0, 1
    )
    return np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]) @ np.cbrt(cones)


def test_both_ways_to_the_dark_theme_have_the_same_colours():
    light, dark, chosen = themes()
    assert {name: colour.tolist() for name, colour in dark.items()} == {n: c.tolist() for n, c in chosen.items()}
    assert light.keys() == dark.keys()


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", range(2), ids=["light", "dark"])
def test_colours_differ_for_all_readers(theme, vision):
    colours = themes()[theme]
    for names in (("forward", "back"), ("heat-zero", "heat-below", "heat-above")):
        seen = [oklab(np.array(VISION[vision]) @ colours[name]) for name in names]
        for one, other in itertools.combinations(seen, 2):
            assert np.linalg.norm(one - other) > 0.1
