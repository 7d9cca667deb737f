"""Arguments that the command line parses: parsing gives back what was written."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from backbone_bench.claims.data import figures
from backbone_bench.cli import options
from backbone_bench.records import TensorSpec
from backbone_bench.report.views.columns import COLUMNS, named
from tests.fuzz.targets import refusal

SHAPES = st.lists(st.integers(0, 10**18 - 1), max_size=5).map(tuple)
NAMES = st.none() | st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(SHAPES, st.sampled_from(["float32", "int64", "bool", "float8_e4m3fn"]), NAMES)
def test_an_input_is_read_as_it_was_written_and_a_scalar_too(shape, dtype, name):
    spec = TensorSpec(shape, dtype, name)
    assert TensorSpec.parse(str(spec)) == spec


@given(SCALARS)
def test_an_argument_that_reads_as_json_is_that(value):
    assert options.arguments([f"width={json.dumps(value)}"]) == {"width": value}


@given(st.text())
def test_any_other_argument_is_text(text):
    try:
        json.loads(text)
    except ValueError:
        assert options.arguments([f"width={text}"]) == {"width": text}
    else:
        assume(False)


@given(st.integers(1, 10**9), st.integers(0, 6), st.sampled_from([*figures.SCALES]))
def test_a_figure_is_as_precise_as_it_was_written(digits, decimals, letter):
    written = f"{digits / 10**decimals:.{decimals}f}{letter}"
    figure = figures.parse(written)
    scale = figures.SCALES[letter]
    assert figure.value == float(written.removesuffix(letter)) * scale
    assert abs(figure.half_digit * 2 * 10**decimals / scale - 1) < 1e-9


@given(st.lists(st.sampled_from([*COLUMNS]), min_size=1))
def test_columns_come_in_the_order_asked_each_once(keys):
    assert [column.key for column in named(", ".join(keys))] == [*dict.fromkeys(keys)]


@given(st.text(max_size=9), st.sampled_from([figures.parse, figures.parse_share, TensorSpec.parse]))
def test_a_word_is_a_finite_number_or_a_shape_or_is_refused(word, read):
    message = refusal(read, word)
    assert not message or repr(word) in message
