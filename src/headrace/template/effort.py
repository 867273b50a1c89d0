"""
How much work one turn of a loop is, as far as the template's text tells.

A step stands for about a fifth of a microsecond. Most parts of a template take a small share of that, and a call of a
helper takes one; what depends on the data, such as the length of a text, is charged when it is known.
"""

from headrace.template import nodes

UNITS_OF_A_STEP = 16
PRINT = 8
LOOKUP = 2
INLINED = 8  # a comparison or test, most of which are written out in the compiled function
CALL = 20
ARITHMETIC = 32
LOOP = 28
_CALLS = (nodes.Call, nodes.Filter, nodes.ListLiteral, nodes.MapLiteral, nodes.MethodCall)


def steps_of_a_turn(body: nodes.Body) -> int:
    """
    What one turn of a loop with this body is charged; loops inside of it are charged for their own turns.

    >>> steps_of_a_turn((nodes.Text("a"), nodes.Text("b")))
    1
    """
    return 1 + sum(map(_statement, body)) // UNITS_OF_A_STEP


def _statement(statement: nodes.Statement) -> int:
    if isinstance(statement, nodes.Text):
        return 1
    if isinstance(statement, nodes.If):
        conditions = sum(_expression(condition) for condition, _ in statement.branches)
        bodies = [*(body for _, body in statement.branches), statement.otherwise]
        return conditions + sum(_statement(part) for body in bodies for part in body)
    if isinstance(statement, nodes.For):
        return LOOP + _expression(statement.iterable) + sum(map(_statement, statement.otherwise))
    if isinstance(statement, nodes.FilterBlock):
        return CALL + _expression(statement.chain) + sum(map(_statement, statement.body))
    return PRINT + _expression(statement.value)


def _expression(node: nodes.Expression) -> int:
    return _own(node) + sum(map(_expression, nodes.parts_of(node)))


def _own(node: nodes.Expression) -> int:
    if isinstance(node, nodes.Binary):
        return ARITHMETIC if node.operator in "*/%-" else INLINED
    if isinstance(node, _CALLS):
        return CALL
    return INLINED if isinstance(node, nodes.Test) else LOOKUP if isinstance(node, nodes.Subscript) else 1
