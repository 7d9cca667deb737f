"""Claims files of users: any file gets a right verdict, or an error of one line."""

from importlib import resources

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backbone_bench.base.errors import UserError
from backbone_bench.claims.data import papers
from backbone_bench.claims.data.verdicts import ClaimVerdict
from backbone_bench.claims.evidence.evidence import Evidence
from backbone_bench.claims.judges import engine
from backbone_bench.records import Missing, ModelCost, OpCost

FLOPS = {"free": 0, "small": 2_000_000, "large": 5_000_000}


def count(model, arguments, size, batch) -> ModelCost:
    """Networks of known FLOPs, whatever the input."""
    if model not in FLOPS:
        raise UserError(f"The zoo has no model {model!r}.")
    row = OpCost("", "convolution", 1, FLOPS[model] * batch, 1000, 500, 1000 * batch, 4000 * batch)
    return ModelCost(1000, 4000, Missing("none", "none"), "meta", (row,))


def file(check: str, expects: str = "holds") -> str:
    """A claims file with one check."""
    return f"""
key = "mine"
title = "Mine"
short = "Mine"
[[claim]]
id = "one"
sentence = "Said."
where = "here"
expects = "{expects}"
[[claim.check]]
{check}
"""


def judge(text: str):
    (entry,) = papers.entries((papers.parse(text, "mine.toml"),))
    return engine.judge(entry, Evidence(count=count))


@given(st.integers(1, 10_000_000), st.integers(1, 10_000_000))
def test_a_figure_holds_just_within_its_tolerance_or_a_factor_of_two_explains_it(expected, slack):
    outcome = judge(
        file(f"""
kind = "count"
metric = "flops"
of = "small"
expected = {expected}
tolerance = {{ absolute = {slack}, why = "chance" }}""")
    )
    near = [abs(value - expected) <= slack for value in (2_000_000, 4_000_000, 1_000_000)]
    verdict = ClaimVerdict.HOLDS if near[0] else ClaimVerdict.EXPLAINED if any(near) else ClaimVerdict.FAILS
    assert outcome.verdict is verdict
    assert bool(outcome.unexpected) == (verdict is not ClaimVerdict.HOLDS)


@given(st.floats(0.01, 10), st.sampled_from(["ratio", "change", "saving"]))
def test_a_ratio_is_of_the_first_to_the_second(expected, form):
    found = {"ratio": 0.4, "change": -0.6, "saving": 0.6}[form]
    outcome = judge(
        file(f"""
kind = "ratio"
metric = "flops"
of = "small"
to = "large"
form = "{form}"
expected = {expected!r}
tolerance = {{ absolute = 0.05, why = "chance" }}""")
    )
    assert (outcome.verdict is ClaimVerdict.HOLDS) == (abs(found - expected) <= 0.05)
    assert outcome.judged[0].finding.found_value == pytest.approx(found)


@given(st.permutations(["small", "large"]))
def test_an_order_holds_just_where_it_rises(names):
    outcome = judge(file(f'kind = "order"\nmetric = "flops"\nrising = {names!r}'))
    assert (outcome.verdict is ClaimVerdict.HOLDS) == (names == ["small", "large"])


# Any file: a claim is understood, or one line says what is wrong.

SCALARS = st.one_of(
    st.text(max_size=8), st.integers(-10, 10**12), st.floats(), st.booleans(), st.dates(),
    st.sampled_from(["count", "law", "family", "pair", "needs", "flops", "params", "small@224", "holds", "ci"]),
)  # fmt: skip
KEYS = st.sampled_from(
    ["kind", "metric", "of", "to", "expected", "tolerance", "relative", "absolute", "why", "layers", "name", "ci", "co",
     "kernel", "axes", "left", "right", "relation", "says", "each", "m", "model", "size", "arguments", "rising",
     "below"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def toml(value) -> str:
    """Plain data as TOML, on one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(char):08x}" if not char.isalnum() else char for char in value) + '"'
        case float():
            return repr(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
        case _:
            return str(value)


@given(
    st.dictionaries(KEYS, VALUES, max_size=8),
    st.sampled_from(["count", "ratio", "order", "law", "family", "value", None]),
)
def test_any_check_is_judged_or_refused_in_one_line(check, kind):
    if kind:
        check["kind"] = kind
    text = file("\n".join(f"{key} = {toml(value)}" for key, value in check.items()))
    try:
        outcome = judge(text)
    except UserError as error:
        text = str(error)
    else:
        text = str(outcome.verdict)
    assert len(text.splitlines()) == 1


FORMULAS = st.one_of(
    st.integers(-2, 10**6), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "b", "a * b", "a - b", "1 / a", "1e300 * b", "sqrt(a)", "sqrt(0 - a)", "a / (b - b)"]),
)  # fmt: skip
LAYERS = st.fixed_dictionaries(
    {"ci": FORMULAS, "co": FORMULAS},
    optional={
        "kernel": FORMULAS,
        "side": FORMULAS,
        "groups": FORMULAS,
        "times": FORMULAS,
        "stride": st.integers(-1, 3),
    },
)
SWEPT = """
kind = "law"
axes = {{ a = [0, 1, 3], b = [2, 1e6] }}
layers = [{layers}]
left = "access"
relation = ">="
right = "least_access"
says = "access is at least its bound"
tolerance = {{ relative = 1e-9, why = "algebra" }}"""
STACKED = """
kind = "bound"
metric = "access_over_bound"
of = {{ name = "some", layers = [{layers}] }}
above = 0.999999"""


@example(layers=[{"ci": 1, "co": 1}, {"ci": 1, "co": "b", "kernel": 1.3407807929942597e154}], check=SWEPT)
@given(st.lists(LAYERS, min_size=1, max_size=3), st.sampled_from([SWEPT, STACKED]))
def test_layers_of_any_widths_have_a_cost_or_one_line_says_why_not(layers, check):
    try:
        text = str(judge(file(check.format(layers=", ".join(map(toml, layers))))).verdict)
    except UserError as error:
        text = str(error)
    assert len(text.splitlines()) == 1
    assert text != "fails"  # whatever the widths, access is at least its bound


def test_a_byte_order_mark_is_no_part_of_a_file_of_claims(tmp_path):
    plain = next((resources.files("backbone_bench.claims") / "papers").iterdir()).read_text(encoding="utf-8")
    marked = tmp_path / "mine.toml"
    marked.write_text(plain, encoding="utf-8-sig")
    assert papers.read(marked) == papers.parse(plain, "mine.toml")


@given(st.text(max_size=200))
def test_any_text_is_refused_in_one_line(text):
    with pytest.raises(UserError) as refused:
        papers.parse(text, "mine.toml")
    assert len(str(refused.value).splitlines()) == 1


COUNT = """kind = "count"
metric = "flops"
of = "small"
expected = 1
tolerance = { relative = 0.1, why = "x" }"""

REFUSED = [
    (COUNT.replace('"flops"', '"flop"'), "Did you mean 'flops'"),
    (COUNT.replace("expected = 1", 'expected = "4G"'), "valid number"),
    (COUNT.replace("relative = 0.1, ", ""), "one of relative, absolute and digit"),
    (COUNT.replace("tolerance", "tolerence"), "tolerance"),
    ('kind = "guess"', "guess"),
    ('kind = "bound"\nmetric = "flops"\nof = "small"', "either below or above"),
    ('kind = "value"\nformula = "a ** b"\nat = { a = 1.0 }\nexpected = 1', "not allowed in a formula"),
]


@pytest.mark.parametrize(("check", "text"), REFUSED)
def test_what_is_wrong_is_named_with_its_place(check, text):
    with pytest.raises(UserError, match=text) as refused:
        judge(file(check))
    assert "mine.toml: claim[1].check[1]" in str(refused.value)


def test_a_network_that_nobody_can_build_is_told():
    with pytest.raises(UserError, match="no model 'smal'"):
        judge(file('kind = "bound"\nmetric = "flops"\nof = "smal"\nbelow = 1.0'))


def test_two_claims_of_one_id_are_refused():
    once = file('kind = "needs"\nneeds = "x"')
    with pytest.raises(UserError, match="two claims are called 'one'"):
        papers.parse(once + once[once.index("[[claim]]") :], "mine.toml")


@pytest.mark.parametrize(
    "check",
    [
        'kind = "law"\naxes = { a = { first = 0, last = 9999, step = 1 }, b = { first = 0, last = 9999, step = 1 } }\n'
        'left = "a"\nrelation = ">="\nright = "b"\nsays = "x"\ntolerance = { relative = 0.1, why = "x" }',
        'kind = "value"\nformula = "flops"\nat = { m = 1e9 }\nlayers = [{ ci = "1", co = "1", each = { i = "m" } }]\n'
        'expected = 1\ntolerance = { relative = 0.1, why = "x" }',
        'kind = "law"\naxes = { a = { first = 1, last = 1999, step = 1 }, b = { first = 1, last = 1999, step = 1 } }\n'
        'layers = [{ ci = "a", co = "b", each = { i = "9999" } }]\nleft = "flops"\nrelation = ">="\nright = "0"\n'
        'says = "x"\ntolerance = { relative = 0.1, why = "x" }',
    ],
)
def test_a_sweep_too_long_to_wait_for_is_refused(check):
    with pytest.raises(UserError, match="at most"):
        judge(file(check))


def test_an_order_with_a_network_that_costs_nothing_fails():
    outcome = judge(file('kind = "order"\nmetric = "flops"\nrising = ["small", "free", "large"]'))
    assert outcome.verdict is ClaimVerdict.FAILS
    assert outcome.judged[0].finding.reason == "free has none"
