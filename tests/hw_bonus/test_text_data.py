"""Text as data: files as people have them, words, letters, rows of unequal length; what is refused, in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_bonus.errors import BadInput
from hw_bonus.text import names, sentences
from hw_bonus.text.task import Rows

PAIRS = [("It is good", "yes"), ("it is bad", "no")]


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "It is good\tyes\nit is bad\tno\n"),
        ("no end.tsv", "It is good\tyes\nit is bad\tno"),
        ("crlf.txt", "It is good\tyes\r\nit is bad\tno\r\n"),
        ("old mac.txt", "It is good\tyes\rit is bad\tno\r"),
        ("bom.txt", b"\xef\xbb\xbfIt is good\tyes\nit is bad\tno\n"),
        ("blanks.txt", "\n  It  is good \t yes \n\n\t\nit is bad\tno\n\n"),
        ("a.csv", "text,label\nIt is good,yes\nit is bad,no\n"),
        ("other names.csv", "Sentiment,id,Review\nyes,1,It is good\nno,2,it is bad\n"),
        ("semicolons.csv", "text;label\nIt is good;yes\nit is bad;no\n"),
        ("quotes.csv", 'text,label\n"It is\ngood",yes\n"it is bad","no"\n'),
        ("no heading.csv", "It is good,yes\nit is bad,no\n"),
        ("bom.csv", b"\xef\xbb\xbflabel,text\r\nyes,It is good\r\nno,it is bad\r\n"),
    ],
)
def test_files_are_read_as_people_have_them(tmp_path: Path, name: str, text: str | bytes) -> None:
    assert sentences.read(write(tmp_path / name, text))[0] == PAIRS


def test_a_sentence_keeps_tabs_and_unusual_line_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\ttwo\tyes\nthree\u2028four\x85five\tno\n")
    assert sentences.read(path)[0] == [("one two", "yes"), ("three four five", "no")]


def test_a_folder_of_files_and_a_folder_for_each_class(tmp_path: Path) -> None:
    write(tmp_path / "files" / "b.txt", "it is bad\tno\n\n")
    write(tmp_path / "files" / "a.tsv", "It is good\tyes\n")
    write(tmp_path / "files" / "readme.txt", "About this data.\nIt has labels.\t\n")
    write(tmp_path / "files" / "picture.png", b"\x89PNG")
    found, notes = sentences.read(tmp_path / "files")
    assert found == PAIRS
    assert notes == ["left out: readme.txt, which has no labels", "left out: 1 empty lines"]
    write(tmp_path / "classes" / "yes" / "1.txt", "It is\ngood\n")
    write(tmp_path / "classes" / "no" / "deep" / "2.txt", "it is bad")
    write(tmp_path / "classes" / "no" / "3.txt", "\n")
    found, notes = sentences.read(tmp_path / "classes")
    assert sorted(found) == sorted(PAIRS)
    assert notes == ["left out: 1 empty files"]


MANY = "".join(f"word{i} thing\t{'ab'[i % 2]}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no line of the form"),
        ("only words\nand more\n", "no line of the form"),
        (MANY + "no label here\n", "no label in line 41"),
        (MANY + "\tlabel alone\nno label\n", "no label in line 41 and 1 more"),
        (MANY.replace("\tb", "\ta"), "at least two classes"),
        ("a\tx\nb\ty\n", "2 sentences; expected at least 20"),
        ("".join(f"{'xy'[i % 2]}\tsentence {i}\n" for i in range(40)), "label behind the last tab"),
        (b"caf\xe9\tx\n", "not UTF-8 text (line 1)"),
        (MANY.encode("utf-16"), "not UTF-8"),
        (b"a\0b\tx\n", "zero bytes"),
    ],
)
def test_data_that_cannot_be_used_is_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = write(tmp_path / "mes données.txt", text)
    with pytest.raises(BadInput) as error:
        sentences.load(str(path), 1)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a,b,c\n1,2,3\n", "columns a, b, c"),
        ("text,label\none,yes\ntwo\n", "row 3"),
        ("text,label\none,\n", "row 2"),
        ('text,label\n"one,yes\n', "no CSV"),
    ],
)
def test_a_bad_csv_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        sentences.read(write(tmp_path / "a.csv", text))


def test_missing_and_empty_places_are_refused(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none.txt", "does not exist"), (tmp_path, "no .txt, .tsv or .csv")):
        with pytest.raises(BadInput, match=says):
            sentences.read(path)
    (tmp_path / "class").mkdir()
    with pytest.raises(BadInput, match=r"hold no \.txt"):
        sentences.read(tmp_path)


def test_words() -> None:
    assert sentences.words_of("Don't STOP -- it's 2nd-rate, Über-gut!?") == [
        "don't", "stop", "it's", "2nd", "rate", "über", "gut", "!", "?",
    ]  # fmt: skip
    assert sentences.words_of("это хорошо 很好") == ["это", "хорошо", "很好"]
    assert sentences.words_of(":-) …") == [":", "-", ")", "…"]
    vocabulary = sentences.vocabulary_of([["b", "a", "b"], ["a", "c"], ["a"]], 1)
    assert vocabulary == {"a": 2, "b": 3, "c": 4}
    assert list(sentences.vocabulary_of([["b", "a"], ["a", "c"]], 2)) == ["a"]
    assert sentences.encode(["c", "new", "a"], vocabulary) == [4, 1, 2]
    assert sentences.encode([], vocabulary) == [1]


def test_the_three_parts_share_nothing_and_the_vocabulary_is_of_training_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", MANY + MANY)
    task = sentences.load(str(path), 1)
    assert [len(part[1]) for part in (task.train, task.val, task.test)] == [32, 4, 4]
    assert task.notes == ["left out: 40 sentences that are there twice"]
    known = set(task.about["vocabulary"])
    assert "thing" in known
    assert len(known) == 33, "one word of each training sentence, and the one that all have"
    for part in (task.val, task.test):
        assert (part[0].numbers == 1).sum() == 4, "the other words are unknown"
    assert task.fingerprint() != sentences.load(str(path), 2).fingerprint()


def test_rows_are_filled_up_to_a_power_of_two() -> None:
    rows = Rows([[1, 2], [3], list(range(4, 13))])
    np.testing.assert_array_equal(rows[np.array([1, 0])], [[3, 0, 0, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0]])
    assert rows[np.array([2])].shape == (1, 16)
    np.testing.assert_array_equal(rows[np.array([2])][0, :9], np.arange(4, 13))
    assert len(rows) == 3
    assert Rows([])[np.array([], int)].shape == (0, 8)


def test_letters_before_and_the_one_that_follows() -> None:
    inputs, labels = names.pairs([[1, 2], [3]], 3)
    np.testing.assert_array_equal(inputs, [[0, 0, 0], [0, 0, 1], [0, 1, 2], [0, 0, 0], [0, 0, 3]])
    np.testing.assert_array_equal(labels, [1, 2, 0, 3, 0])


def test_the_names_that_come_with_the_program() -> None:
    task, known = names.load(None, 4)
    assert task.size == task.classes == 27
    assert task.about["letters"] == "abcdefghijklmnopqrstuvwxyz"
    assert len(known) == 4131
    assert task.train[0].shape[1] == 4
    whole = names.NAMES.read_text().split()
    assert len(whole) == len(set(whole)) == 5163
    assert whole == sorted(whole)


def test_names_of_ones_own(tmp_path: Path) -> None:
    text = "".join(f"Zoë-{chr(97 + i)}\r\n" for i in range(26)) + "Анна\n\n  Anna  Maria \nanna maria\n李娜\nÉtienne\n"
    task, _ = names.load(str(write(tmp_path / "n.txt", text)), 2)
    assert {"ë", "-", " ", "а", "李", "é"} <= set(task.about["letters"])
    assert sum(len(part[1]) for part in (task.train, task.val, task.test)) == sum(
        len(name) + 1 for name in {" ".join(line.split()).lower() for line in text.splitlines()} - {""}
    )
    with pytest.raises(BadInput, match="2 different names"):
        names.load(str(write(tmp_path / "few.txt", "a\nb\na\n")), 2)


def test_the_trigram_model_is_a_distribution_and_beats_what_knows_less() -> None:
    task, _ = names.load(None, 5)
    counts = np.random.default_rng(0).integers(0, 3, (4, 4, 4)).astype(float)
    one = (counts.sum((0, 1)) + 1) / (counts.sum() + 4)
    two = names._smoothed(counts.sum(0), one, 2.0)
    np.testing.assert_allclose(names._smoothed(counts, two, 8.0).sum(-1), 1)
    letters = np.bincount(task.train[1], minlength=27) + 1
    unigram = -np.log(letters / letters.sum())[task.test[1]].mean()
    found = names.trigram_loss(task)
    assert 1.9 < found < 2.2 < unigram
    short, _ = names.load(None, 1)
    assert names.trigram_loss(short) > found, "with one letter before it is a bigram model"


def test_invented_names_follow_the_scores() -> None:
    """A network that is sure spells one name; an unsure one does not, and ends all the same."""
    spelled = [3, 1, 20, 0]

    def sure(seen: np.ndarray) -> np.ndarray:
        scores = np.full((len(seen), 27), -1e9)
        for row, before in zip(scores, seen):
            row[spelled[int((before != 0).sum())]] = 0
        return scores

    letters = "abcdefghijklmnopqrstuvwxyz"
    assert names.invent(sure, letters, 4, 3, np.random.default_rng(0)) == ["Cat"] * 3
    many = names.invent(lambda seen: np.zeros((len(seen), 27)), letters, 4, 200, np.random.default_rng(0))
    assert max(map(len, many)) <= 30
    assert 15 < np.mean([len(name) for name in many]) < 25
    assert names.invent(lambda seen: np.zeros((len(seen), 27)), letters, 4, 200, np.random.default_rng(0)) == many
