"""Calculated fields: what they compute, what is refused, and what holds for all of them."""

import hashlib
import re

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import ExpressionError
from headrace.mapping.calculated import CalculationError, calculation, nodes
from headrace.mapping.calculated.lexer import LONGEST, RESERVED
from headrace.mapping.calculated.parser import DEEPEST, MOST_JOINED, POWERS, parse
from headrace.mapping.calculated.printing import written
from headrace.mapping.calculated.registry import functions

ORGANIZATIONS = [
    {"id": 123, "orgName": "Acme Inc", "founded": 1990},
    {"id": 456, "orgName": "Superstar Inc", "founded": 2004},
    {"id": 789, "orgName": "Energy Corp", "founded": 2021},
]
PERSON = {
    "person": {"name": {"firstName": "Zoë", "lastName": "O'Hara"}},
    "organizations": ORGANIZATIONS,
    "purchaseTime": ["1538097126", "1569633126"],
    "loyalty": {"points": 7, "rate": 0.5, "active": True, "none": None},
    "First.Name": "dotted",
    "new": "a reserved word",
    "with space": {"a-b": 1},
    "huge": 1e300,
    "most": 2**64 - 1,
    "subscriptions": {"hasPromotion": [None, True, None, False]},
}


def value(text, profile=PERSON):
    return calculation(text).value(profile)


# -- functions --------------------------------------------------------------------------------------------------------

EXAMPLES = [
    pytest.param(text, result, id=f"{function.name}: {text}")
    for function in functions.values()
    for text, result in function.examples
]


@pytest.mark.parametrize(("text", "result"), EXAMPLES)
def test_every_example_of_the_reference_holds(text, result):
    got = value(text, {})

    assert (type(got), got) == (type(result), result)


@pytest.mark.parametrize("function", functions.values(), ids=functions)
def test_every_function_says_what_it_does_and_shows_it(function):
    assert re.fullmatch(r"[A-Z].+\.", function.about)
    assert function.examples


@pytest.mark.parametrize("function", [item for item in functions.values() if item.of_text], ids=lambda item: item.name)
def test_of_no_text_there_is_nothing(function):
    arguments = ", ".join(["null", *['"1"'] * (function.fewest - 1)])

    assert value(f"{function.name}({arguments})") is None


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("array_to_string('_', transformArray(organizations, o -> ucase(substr(o.orgName, 0, 4))))", "ACME_SUPE_ENER"),
        ("array_to_string('_', filterArray(organizations, org -> org.founded > 2010).orgName)", "Energy Corp"),
        ("coalesce(subscriptions.hasPromotion)", True),
        ("size_of(purchaseTime)", 2),
        ("purchaseTime[0]", "1538097126"),
        ("purchaseTime[size_of(purchaseTime) - 1]", "1569633126"),
        ("organizations[0].orgName.equals('Acme Inc')", True),
        ("iif(loyalty.points >= 7 and not (person.name.firstName eq 'x'), 'gold', 'none')", "gold"),
        ("concat(person.name.firstName, ' ', person.name.lastName)", "Zoë O'Hara"),
        ("person.name.firstName + loyalty.points", "Zoë7"),
        ("${First.Name}", "dotted"),
        ("${new}", "a reserved word"),
        ("${with space}.${a-b}", 1),
        ("nobody.at.all[3].there", None),
        ("loyalty.points.deeper", None),
        ("organizations[9]", None),
        ("loyalty['points']", 7),
        ("transformArray([1, 2, 3], o -> filterArray([1, 2, 3], p -> p < o))", [[], [1], [1, 2]]),
        ("sha256(lcase(trim(' A@X.io ')))", hashlib.sha256(b"a@x.io").hexdigest()),
    ],
)  # fmt: skip
def test_a_field_is_computed_from_a_person(text, result):
    assert value(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7.0 / 2", 3.5),
        ("7 mod 3", 1),
        ("1 + null", None),
        ("-loyalty.none", None),
        ("1 < 2 == true", True),
        ("1 == 1.0", True),
        ("1 == '1'", True),
        ("1 == 'x'", False),
        ("1 == true", False),
        ("null == null", True),
        ("null < 1", False),
        ("null >= null", False),
        ("'b' > 'a'", True),
        ("'10' > 9", True),
        ("true || 1 / 0 > 0", True),
        ("false and 1 / 0 > 0", False),
        ("!loyalty.none", True),
        ("[1, [2]] == [1, [2]]", True),
    ],
)
def test_operators_bind_and_compute_as_written(text, result):
    got = value(text)

    assert (type(got), got) == (type(result), result)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1, column 1: expected a value: an attribute, a text, a number, or a function, and found the end"),
        ("a =", "line 1, column 3: a single `=` compares nothing: write `==`"),
        ("a\n  b", "line 2, column 3: expected an operator or the end, and found `b`"),
        ("concat(a", "line 1, column 9: expected `,` or `)`, and found the end"),
        ("concat(a b)", "line 1, column 10: expected `,` or `)`, and found `b`"),
        ("(a", "line 1, column 3: expected `)`, and found the end"),
        ("a[1", "line 1, column 4: expected `]`, and found the end"),
        ("a.", "line 1, column 3: expected a name behind the dot, and found the end"),
        ("'x", "line 1, column 1: the text that begins here has no closing '"),
        ("${x", "line 1, column 1: the name that begins here has no closing }"),
        ("${}", "line 1, column 1: a name stands between `${` and `}`"),
        ("a ; b", "line 1, column 3: ';' means nothing here"),
        ("1234567890123456789", "line 1, column 1: a number has at most 18 digits"),
        ("new", "line 1, column 1: `new` is a word of the language; the attribute is written `${new}`"),
        ("ucas(a)", "line 1, column 1: there is no function `ucas`; the nearest is `ucase`"),
        ("transformarray(a, x -> x)", "the nearest is `transformArray`"),
        ("zzzzzz(a)", "line 1, column 1: there is no function `zzzzzz`"),
        ("__import__('os')", "line 1, column 1: there is no function `__import__`"),
        ("concat(now())", "line 1, column 8: `now` is not offered: the same person has to give the same value"),
        ("trim()", "line 1, column 1: it is written trim(text), and has 0 arguments"),
        ("iif(a, b)", "line 1, column 1: it is written iif(condition, if_true, if_false), and has 2 arguments"),
        ("filterArray(a, 1)", "it is written filterArray(array, item -> condition): the second argument is a function"),
        ("filterArray(a, x -> x, 1)", "and has 3 arguments"),
        ("trim(x -> x)", "line 1, column 6: a function of `x` is no argument here, and no value"),
        ("x -> x", "line 1, column 1: a function of `x` is no argument here, and no value"),
        ("(" * (DEEPEST + 1) + "a", f"it is nested more than {DEEPEST} deep"),
        ("a" + ".a" * (MOST_JOINED + 1), f"it has more than {MOST_JOINED} operators and steps of paths"),
        ("a" * (LONGEST + 1), f"it is longer than {LONGEST:,} characters"),
    ],
    ids=lambda text: repr(text[:30]),
)
def test_what_cannot_be_read_says_where_and_what_was_expected(text, says):
    with pytest.raises(ExpressionError, match=re.escape(says)):
        calculation(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 / 0", "divided by zero"),
        ("to_integer('x')", "takes a number"),
        ("to_integer(huge)", "too large"),
        ("-most", "too large"),
        ("to_integer('9' + '999999999999999999999')", "too large"),
        ("999999999999999999 * 999999999999999999", "too large"),
        ("iif('x', 1, 2)", "takes true or false"),
        ("substr('abc', 0.5)", "takes a whole number"),
        ("sha256('a', 'EBCDIC')", "a character set is one of UTF-8"),
        ("explode('a', '(')", "not a regular expression"),
        ("date('yesterday')", "no date in ISO 8601"),
        ("date('x', 'yyyy')", "cannot be read as a date"),
        ("date_part('age', '2020-01-01')", "a part of a date is one of"),
        ("set_date_part('month', 13, '2020-01-01')", "a date that is none"),
        ("format(99999999999999999, 'yyyy')", "outside of the years"),
        ("to_object('a', 1, 'b')", "a value for each name"),
        ("json_to_object('{')", "not JSON"),
        ("flattenArray(to_object('a', 1))", "takes a list"),
        ("get('a', 'b')", "takes an object"),
        ("split('a', '')", "at least one separating character"),
        ("size_of(1)", "takes a list, an object or a text"),
    ],
)
def test_data_that_a_function_cannot_take_is_an_error_of_its_own(text, says):
    with pytest.raises(CalculationError, match=says):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "lpad('', 999999999, 'x')",
        "transformArray(many, a -> transformArray(many, b -> transformArray(many, c -> 1)))",
        "transformArray(many, a -> long)",
        "array_to_string('', transformArray(many, a -> long))",
        "replace(long, 'x', long)",
        "concat(" + ", ".join(["long"] * 500) + ")",
        "transformArray(many, a -> many) == transformArray(many, a -> many)",
        "explode(long, '(x+x+)+y')",
        "to_string(transformArray(many, a -> many))",
        "join_arrays(" + ", ".join(["many"] * 50) + ")",
    ],
)
def test_nothing_takes_much_time_or_memory(text):
    person = {"many": [1] * 5_000, "long": "x" * 100_000}

    try:
        result = value(text, person)
    except CalculationError:
        return
    assert len(orjson.dumps(result)) < 1 << 20


def test_a_name_leads_into_data_and_never_into_python():
    assert value("person.__class__") is None
    assert value("a.upper") is None
    assert value("'x'.upper()") == "X"
    assert value("a.format", {"a": "x"}) is None


# -- laws -------------------------------------------------------------------------------------------------------------

names = st.text(min_size=1, max_size=8) | st.sampled_from(["a", "b", "person", "new", "a.b", "x y"])
simple = st.sampled_from(["a", "b", "x"])
literals = st.builds(
    nodes.Literal,
    st.none() | st.booleans() | st.integers(0, 10**17) | st.text(max_size=8) | st.sampled_from([0.5, 2.0, 17.25]),
)


def expressions(inner):
    lists = st.lists(inner, max_size=3).map(tuple)
    return (
        st.builds(nodes.Array, lists)
        | st.builds(nodes.Member, inner, names)
        | st.builds(nodes.Index, inner, inner)
        | st.builds(nodes.Unary, st.sampled_from("-!"), inner)
        | st.builds(nodes.Binary, st.sampled_from(sorted(POWERS)), inner, inner)
        | st.builds(nodes.Call, st.sampled_from(sorted(functions)), lists)
        | st.builds(
            lambda name, array, parameter, body: nodes.Call(name, (array, nodes.Lambda(parameter, body))),
            st.sampled_from(["filterArray", "transformArray"]),
            inner,
            simple,
            inner,
        )
    )


trees = st.recursive(literals | st.builds(nodes.Name, names), expressions, max_leaves=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(simple | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(trees)
def test_what_is_written_down_is_read_as_the_same(tree):
    assert parse(written(tree)) == tree


@settings(max_examples=300, deadline=None)
@given(trees, st.dictionaries(simple, values, max_size=3))
def test_a_calculation_gives_json_or_its_own_error_and_the_same_each_time(tree, person):
    before = orjson.dumps(person)
    try:
        compiled = calculation(written(tree))
    except ExpressionError:
        return
    results = []
    for _ in range(2):
        try:
            results.append(compiled.value(person))
        except CalculationError as error:
            results.append(str(error))

    assert results[0] == results[1]
    orjson.dumps(results[0])
    assert orjson.dumps(person) == before


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text(st.sampled_from("ab.[](),'\"${}->=!&|+ 1\\"), max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except ExpressionError as error:
        place = error.line, error.column
    else:
        return

    assert min(place) >= 1


@settings(max_examples=200, deadline=None)
@given(trees, st.dictionaries(simple, values, max_size=3), st.dictionaries(simple, values, max_size=3))
def test_where_all_that_is_read_is_the_same_so_is_the_value(tree, person, other):
    try:
        compiled = calculation(written(tree))
    except ExpressionError:
        return
    if orjson.dumps(compiled.read(person)) != orjson.dumps(compiled.read(other)):
        return

    assert outcome(compiled, person) == outcome(compiled, other)


def outcome(compiled, person):
    try:
        return compiled.value(person)
    except CalculationError:
        return "failed"


def test_only_what_a_person_is_asked_for_is_read():
    compiled = calculation("concat(a.b, transformArray(c, x -> x.d), e[0].f, g[h])")

    assert set(compiled.reads) == {("a", "b"), ("c",), ("e", 0, "f"), ("g",), ("h",)}


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_reserved_word_is_a_name_in_its_wrapping(word):
    assert value(f"${{{word}}}", {word: 1}) == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a", "anything"),
        ("'a'", "text"),
        ("[1]", "array"),
        ("transformArray(a, x -> x)", "array"),
        ("to_object('a', 1)", "object"),
        ("iif(a, [1], [2])", "array"),
        ("iif(a, [1], 2)", "anything"),
        ("1 > 2", "truth"),
        ("array_to_string(',', a)", "text"),
    ],
)
def test_the_text_tells_what_kind_of_value_comes(text, kind):
    assert calculation(text).gives == kind
