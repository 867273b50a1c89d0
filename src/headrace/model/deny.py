"""What a policy denies: an expression over usage labels, and which labels make it true."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from headrace.model.problem import Problem

_OPERATORS = ("AND", "OR")
DEEPEST = 10
MOST_LABELS = 200


@dataclass(frozen=True, slots=True)
class Compound:
    """Several expressions that are all true (``AND``), or of which one is (``OR``)."""

    operator: Literal["AND", "OR"]
    operands: "tuple[Expression, ...]"


#: A label, which is true where data has it; or several expressions.
Expression = str | Compound


def read_deny(document: object, where: str) -> tuple[Expression, list[Problem]]:
    """Read an expression, and say everything that is wrong with it; then what is returned is of no use."""
    problems: list[Problem] = []
    expression = _read(document, where, 1, problems)
    if not problems and len([*labels_in(expression)]) > MOST_LABELS:
        problems.append(Problem("invalid", where, f"an expression names at most {MOST_LABELS} labels"))
    return expression, problems


def labels_in(expression: Expression) -> Iterator[str]:
    """Yield the labels that an expression names, as often as it does."""
    if isinstance(expression, str):
        yield expression
        return
    for operand in expression.operands:
        yield from labels_in(operand)


def met_by(expression: Expression, labels: frozenset[str]) -> frozenset[str]:
    """
    Return the labels that make an expression true; none where it is not.

    >>> sorted(met_by(Compound("AND", ("I1", Compound("OR", ("C1", "C2")))), frozenset({"I1", "C2", "S1"})))
    ['C2', 'I1']
    """
    if isinstance(expression, str):
        return labels & {expression}
    met = [met_by(operand, labels) for operand in expression.operands]
    is_true = all(met) if expression.operator == "AND" else any(met)
    return frozenset().union(*met) if is_true else frozenset()


def _read(document: object, where: str, depth: int, problems: list[Problem]) -> Expression:
    if depth > DEEPEST:
        problems.append(Problem("invalid", where, f"expressions stand in each other at most {DEEPEST} deep"))
    elif not isinstance(document, dict) or not ({*document} == {"label"} or {*document} == {"operator", "operands"}):
        message = 'an expression is `{"label": "C1"}`, or has `operator` (`AND`, `OR`) and `operands`, and no more'
        problems.append(Problem("invalid", where, message))
    elif "label" in document:
        return _label(document["label"], f"{where}/label", problems)
    else:
        return _compound(document, where, depth, problems)
    return ""


def _label(name: Any, where: str, problems: list[Problem]) -> str:
    if isinstance(name, str) and name:
        return name
    problems.append(Problem("invalid", where, "a label is its name, as `C1`"))
    return ""


def _compound(document: dict[str, Any], where: str, depth: int, problems: list[Problem]) -> Expression:
    operator, operands = document["operator"], document["operands"]
    if operator not in _OPERATORS:
        problems.append(Problem("not-allowed", f"{where}/operator", "an operator is `AND` or `OR`"))
    if not isinstance(operands, list) or not operands:
        problems.append(Problem("invalid", f"{where}/operands", "`operands` is a list of one or more expressions"))
        return ""
    read = (_read(item, f"{where}/operands/{place}", depth + 1, problems) for place, item in enumerate(operands))
    return Compound("AND" if operator == "AND" else "OR", tuple(read))
