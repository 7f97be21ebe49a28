"""Sentences with labels: read from files and folders, split into words, and made a task."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

import numpy as np

from hw_bonus.datasets import split_pair
from hw_bonus.errors import BadInput
from hw_bonus.text.files import read_text
from hw_bonus.text.task import UNKNOWN, Rows, Task

Pairs = list[tuple[str, str]]

TEXT_COLUMNS = ("text", "sentence", "review", "message", "comment", "document")
LABEL_COLUMNS = ("label", "class", "sentiment", "category", "target", "rating")
SPLIT_SEED, VAL_SHARE, TEST_SHARE = 0, 0.1, 0.1
# A word of letters and digits, with apostrophes inside; and the two marks that change how a sentence is meant.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]")


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters. A text of other signs alone is one word for each sign."""
    words = WORD.findall(text.lower())
    return words or [sign for sign in text if not sign.isspace()]


def load(path: str, min_count: int) -> Task:
    """The task of --data. Raises BadInput for data that cannot be used."""
    found, notes = read(Path(path))
    pairs = list(dict.fromkeys(found))
    if len(pairs) < len(found):
        notes.append(f"left out: {len(found) - len(pairs)} sentences that are there twice")
    classes = sorted({label for _, label in pairs})
    _check_classes(path, classes, len(pairs))
    labels = np.array([classes.index(label) for _, label in pairs], dtype=np.int64)
    train, val, test = split_pair((np.arange(len(pairs)), labels), [VAL_SHARE, TEST_SHARE], SPLIT_SEED, path)
    return task_of(Path(path).name or path, pairs, (train[0], val[0], test[0]), min_count, notes)


def task_of(
    name: str, pairs: Pairs, parts: tuple[np.ndarray, np.ndarray, np.ndarray], min_count: int, notes: list[str]
) -> Task:
    """The task of sentences whose numbers are given for training, validation and test. Training makes the vocabulary."""
    classes = sorted({label for _, label in pairs})
    words = [words_of(text) for text, _ in pairs]
    vocabulary = vocabulary_of([words[i] for i in parts[0]], min_count)
    train, val, test = (
        (
            Rows([encode(words[i], vocabulary) for i in part]),
            np.array([classes.index(pairs[i][1]) for i in part], dtype=np.int64),
        )
        for part in parts
    )
    counts = f"{len(parts[0])} sentences to train, {len(parts[1])} to validate, {len(parts[2])} to test"
    about = {"kind": "sentences", "vocabulary": list(vocabulary), "classes": classes}
    return Task(f"{name}: {counts}", train, val, test, len(vocabulary) + UNKNOWN + 1, len(classes), about, notes)


def _check_classes(path: str, classes: list[str], n: int) -> None:
    if n < 20:
        raise BadInput(f"{path} has {n} sentences; expected at least 20")
    if len(classes) < 2:
        raise BadInput(f"every sentence of {path} has the label {classes[0]!r}; expected at least two classes")
    if len(classes) > max(10, n // 5):
        raise BadInput(
            f"{path} has {len(classes)} labels for {n} sentences; expected few classes: is the label behind the last tab?"
        )


def vocabulary_of(sentences: list[list[str]], min_count: int) -> dict[str, int]:
    """Words to numbers from 2 on, the most frequent first. Words in fewer than min_count sentences are unknown."""
    counts = Counter(word for sentence in sentences for word in sorted(set(sentence)))
    known = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
    return {word: number for number, word in enumerate(known, start=UNKNOWN + 1)}


def encode(words: list[str], vocabulary: dict[str, int]) -> list[int]:
    """The numbers of words; a text without any word is one unknown word."""
    return [vocabulary.get(word, UNKNOWN) for word in words] or [UNKNOWN]


# Files


def read(path: Path) -> tuple[Pairs, list[str]]:
    """All (sentence, label) of a file or folder, and notes about what was left out. Raises BadInput."""
    if not path.exists():
        raise BadInput(f"--data {path} does not exist; give a text file, a CSV or a folder")
    if path.is_file():
        pairs, empty = _read_file(path)
        if not pairs:
            raise BadInput(f"{path} has no line of the form sentence<TAB>label; expected one on each line")
        return pairs, _note_empty(empty)
    inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in inside if entry.is_dir()]
    return _read_classes(path, folders) if folders else _read_files(path, inside)


def _read_files(path: Path, inside: list[Path]) -> tuple[Pairs, list[str]]:
    pairs: Pairs = []
    notes, empty = [], 0
    for file in inside:
        if file.suffix.lower() in (".txt", ".tsv", ".csv"):
            more, blank = _read_file(file)
            if not more:
                notes.append(f"left out: {file.name}, which has no labels")
            pairs += more
            empty += blank if more else 0
    if not pairs:
        raise BadInput(f"{path} has no .txt, .tsv or .csv file with labels, and no folder for each class")
    return pairs, notes + _note_empty(empty)


def _read_classes(path: Path, folders: list[Path]) -> tuple[Pairs, list[str]]:
    pairs: Pairs = []
    empty = 0
    for folder in folders:
        for file in sorted(folder.rglob("*.txt")):
            text = " ".join(read_text(file).split())
            if text:
                pairs.append((text, folder.name))
            else:
                empty += 1
    if not pairs:
        raise BadInput(f"the folders in {path} hold no .txt files; expected one folder for each class")
    return pairs, [f"left out: {empty} empty files"] if empty else []


def _note_empty(empty: int) -> list[str]:
    return [f"left out: {empty} empty lines"] if empty else []


def _read_file(path: Path) -> tuple[Pairs, int]:
    text = read_text(path)
    return _read_csv(path, text) if path.suffix.lower() == ".csv" else _read_lines(path, text)


def _read_lines(path: Path, text: str) -> tuple[Pairs, int]:
    """Lines of sentence<TAB>label. No pairs where no line at all has a tab. Raises BadInput where one line has none."""
    lines = text.split("\n")
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    empty = len(lines) - len(filled) - (1 if lines[-1] == "" else 0)
    pairs: Pairs = []
    bad: list[int] = []
    for number, line in filled:
        sentence, _, label = line.rpartition("\t")
        if sentence.strip() and label.strip():
            pairs.append((" ".join(sentence.split()), label.strip()))
        else:
            bad.append(number)
    if bad and pairs:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise BadInput(f"{path} has no label in line {bad[0]}{more}; expected sentence<TAB>label")
    return pairs, empty


def _read_csv(path: Path, text: str) -> tuple[Pairs, int]:
    """The columns text and label, or two columns without a heading. Raises BadInput for other columns."""
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    limit = csv.field_size_limit(2**30)  # a document is one cell
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadInput(f"{path} is no CSV that can be read ({error})") from error
    finally:
        csv.field_size_limit(limit)
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    if not filled:
        raise BadInput(f"{path} is empty; expected the columns text and label")
    heading = [cell.strip().lower() for cell in filled[0][1]]
    texts = [heading.index(name) for name in TEXT_COLUMNS if name in heading]
    labels = [heading.index(name) for name in LABEL_COLUMNS if name in heading]
    if texts and labels:
        places, body = (texts[0], labels[0]), filled[1:]
    elif len(heading) == 2:
        places, body = (0, 1), filled
    else:
        raise BadInput(f"{path} has the columns {', '.join(heading)}; expected two of them to be called text and label")
    pairs: Pairs = []
    for number, row in body:
        if len(row) <= max(places) or not row[places[0]].strip() or not row[places[1]].strip():
            raise BadInput(f"{path} has no text or no label in row {number}; expected both in every row")
        pairs.append((" ".join(row[places[0]].split()), row[places[1]].strip()))
    return pairs, len(rows) - len(filled)
