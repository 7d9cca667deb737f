import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import UserError
from backbone_bench.run.sweep import parse_shard, shard


@given(st.lists(st.integers(), unique=True), st.integers(1, 20))
def test_the_shards_together_are_all_rows_once_and_nearly_of_one_size(rows, parts):
    shards = [shard(rows, number, parts) for number in range(1, parts + 1)]
    assert sorted(row for part in shards for row in part) == sorted(rows)
    sizes = [len(part) for part in shards]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 99), st.integers(1, 99))
def test_a_shard_is_one_of_so_many(number, parts):
    if number <= parts:
        assert parse_shard(f"{number}/{parts}") == (number, parts)
    else:
        with pytest.raises(UserError):
            parse_shard(f"{number}/{parts}")


@given(
    st.text(max_size=9).filter(lambda text: "/" not in text)
    | st.sampled_from(["0/1", "1/", "/2", "1/2/3", "-1/2", "１/２"])
)
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UserError, match="write it as 1/4 to 4/4"):
        parse_shard(text)
