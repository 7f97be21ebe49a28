"""Explanation of an answer: the share of each word, by gradient times input, on a terminal."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw_bonus.text.networks import MeanOfWords
from hw_bonus.text.sentences import encode, words_of
from hw_bonus.text.task import UNKNOWN
from hw_bonus.text.training import probabilities


@dataclass(frozen=True)
class Answer:
    """The class of a sentence and its probability; for each word its share, and whether it is known.

    A share is above 0 where the word speaks for the class. The absolute shares sum to 1.
    """

    label: str
    probability: float
    words: list[str]
    shares: np.ndarray
    known: list[bool]


def explain(net: MeanOfWords, about: dict[str, Any], text: str) -> Answer:
    """The network's answer to a text.

    The network sees the mean m of the words' vectors v. For the chosen class, take its score minus the mean of the others
    (for two classes the log odds), and let g be the gradient of that with respect to m. Then word i has the part
    g . v_i / n, and the parts sum to g . m: gradient times input (A. Shrikumar et al., Not just a black box, 2016).
    """
    words = words_of(text)
    vocabulary = {word: number for number, word in enumerate(about["vocabulary"], start=UNKNOWN + 1)}
    numbers = np.array([encode(words, vocabulary)])
    chances = probabilities(net, numbers)[0]
    best, classes = int(chances.argmax()), len(chances)

    engine = net.autograd_engine
    net.eval()
    engine.zero_grad()
    mean = net.bag(numbers)
    scores = net.head(mean)
    start = np.full(scores.shape, -1 / (classes - 1), dtype=scores.dtype)
    start[0, best] = 1
    engine.backward(start)
    gradient = engine.gradient_buffer.get_param(mean)[0]
    parts = net.bag.W[numbers[0]].astype(np.float64) @ gradient.astype(np.float64) / len(words)
    engine.zero_grad()
    total = np.abs(parts).sum()
    shares = parts / total if total else parts
    return Answer(about["classes"][best], float(chances[best]), words, shares, [n != UNKNOWN for n in numbers[0]])


def lines(answer: Answer, colour: bool) -> list[str]:
    """Lines for a terminal: the class, the sentence (in colour), and the words with their shares, the largest first."""
    told = [f"{answer.label}, with probability {answer.probability:.1%}"]
    if colour:
        told.append("  " + " ".join(_painted(word, share) for word, share in zip(answer.words, answer.shares)))
    told.append(f"Share of each word: + speaks for {answer.label}, - against")
    width = max(len(word) for word in answer.words)
    strongest = np.abs(answer.shares).max()
    for i in np.argsort(-np.abs(answer.shares), kind="stable"):
        word, share = answer.words[i], answer.shares[i]
        bar = ("+" if share >= 0 else "-") * int(round(20 * abs(share) / strongest) if strongest else 0)
        unknown = "" if answer.known[i] else "  (unknown word)"
        told.append(f"  {word:<{width}}  {share:+7.1%}  {bar}{unknown}")
    return told


def wants_colour() -> bool:
    """True on a terminal, unless the variable NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _painted(word: str, share: float) -> str:
    """A word on green (for) or red (against), the stronger the larger its share."""
    strength = min(1.0, 2 * abs(share))
    if strength < 0.06:
        return word
    full = (35, 134, 54) if share > 0 else (200, 50, 40)
    red, green, blue = (round(255 - strength * (255 - level)) for level in full)
    ink = 30 if strength < 0.6 else 37
    return f"\x1b[48;2;{red};{green};{blue}m\x1b[{ink}m{word}\x1b[0m"
