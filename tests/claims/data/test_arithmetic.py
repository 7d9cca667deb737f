"""Formulas of claims files: the same values as in Python, and only arithmetic is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data.arithmetic import Expression

NAMES = {"a": 3.0, "b": 0.5, "m": 7.0}


@st.composite
def formulas(draw, depth=4):
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["a", "b", "m", "2", "0.25", "10"]))
    left, right = draw(formulas(depth - 1)), draw(formulas(depth - 1))
    return draw(st.sampled_from([f"({left} + {right})", f"{left} * {right}", f"({left} - {right})", f"-({left})"]))


@given(formulas())
def test_a_formula_is_worth_what_python_makes_of_it(text):
    assert Expression(text).value(NAMES) == pytest.approx(eval(text, {}, dict(NAMES)))


@pytest.mark.parametrize(
    "text",
    ["a ** 9", "a if b else m", "open('x')", "__import__('os')", "a.b", "[a]", "a < b", "sqrt(a, b)", "", "a b",
     "lambda: a", "'a'", "True", "1 // 2", "1j", "(" * 400, "-" * 400],
)  # fmt: skip
def test_anything_but_arithmetic_is_refused(text):
    with pytest.raises(ValueError, match="formula"):
        Expression(text)


@pytest.mark.parametrize("text", ["a / (b - b)", "sqrt(0 - a)", "1e300 * 1e300 * 1e300 / 1e300", "who"])
def test_what_has_no_value_is_told_in_one_line(text):
    with pytest.raises(UserError, match="formula"):
        Expression(text).value(NAMES)


@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_refused(text):
    try:
        Expression(text)
    except ValueError:
        return
