"""Patterns of authors: any regular expression of a sensible size, and never longer than its time."""

import time

import pytest
import regex

from headrace.model.pattern import LARGEST, NotAPattern, check_pattern, is_match, size_of


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("", 0),
        ("abc", 3),
        ("a{5}", 5),
        ("a{2,}", 2),
        ("a{,3}", 3),
        ("a{}", 1),
        ("(ab){10}c", 21),
        ("((ab){10}){10}", 200),
        ("[^]a-z]{4}", 4),
        (r"\d{3}\{9\}", 6),
        ("(?#a (comment{9})){3}", 3),
        ("(ab)(?#between){10}", 20),
        ("(((", 0),
        (")))", 3),
        ("a{99999999999999999999}", 99999999999999999999),
    ],
)
def test_the_size_of_a_pattern_is_what_it_comes_to_when_written_out(pattern, size):
    assert size_of(pattern) == size


@pytest.mark.parametrize(
    "pattern",
    [
        "((a{1000}){1000}){1000}",
        "(?:(?:[ab]{150}){150})",
        "(a{1000}(?#x)){1000}",
        "(?:" * 18 + "a" + "){3,9}" * 18,
        f"a{{{LARGEST + 1}}}",
        "((((a{9}){9}){9}){9}){9}",
    ],
)
def test_what_would_fill_the_memory_is_refused_at_once(pattern):
    start = time.monotonic()
    with pytest.raises(NotAPattern, match="repeats"):
        check_pattern(pattern)

    assert time.monotonic() - start < 0.5


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "not a regular expression"),
        ("(" * 500 + ")" * 500, "not a regular expression"),
        (r"\N{NO SUCH NAME}", "not a regular expression"),
        ("a" * 1001, "longer than 1,000"),
        ("(?x) a", "flag `x`"),
        ("(?ix)a", "flag `x`"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_reason(pattern, why):
    with pytest.raises(NotAPattern, match=why):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^[0-9]{6}$",
        r"^\(?x\)?$",
        "(?P<x>a)(?P=x)",
        "(?<=a+)b",
        "^(?=.*[0-9]).{8,64}$",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}",
    ],
)
def test_what_people_write_is_a_pattern(pattern):
    check_pattern(pattern)


def test_a_pattern_is_searched_for_and_not_only_at_the_beginning():
    assert is_match("I AGREE", "yes, I AGREE.")
    assert not is_match("^I AGREE$", "yes, I AGREE.")


def test_a_machine_that_stalls_makes_no_value_wrong(monkeypatch):
    stalls = iter([True, True, False])
    search = regex.search

    def stalling(*args, **options):
        if next(stalls):
            raise TimeoutError
        return search(*args, **options)

    monkeypatch.setattr(regex, "search", stalling)

    assert is_match("^[a-z]+-[0-9]{4}$", "harbour-2026")


def test_a_pattern_that_takes_its_time_matches_nothing():
    start = time.monotonic()

    assert not is_match("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 200)
    assert time.monotonic() - start < 2
