"""results/cpu.md: it agrees with its records, and published records do not identify the machine."""

from dataclasses import replace

import pytest
from scipy.stats import spearmanr

from backbone_bench.base.units import PLAIN
from backbone_bench.records import store
from backbone_bench.report.plots.points import number
from backbone_bench.report.plots.prediction import PREDICTORS
from backbone_bench.report.plots.roofline import COPY, PRODUCT
from backbone_bench.report.views.columns import COLUMNS
from tests.report.samples import CPU, cost, op, record
from tests.tools.test_zoo_page import rows
from tools import measure, measured

SIZES = (3, 1, 4, 6, 5, 9, 2, 7)


def network(n: int):
    rows = tuple(
        op(f"{part}", "convolution", n * 10**9, 10**6 * (n * n % 7 + 1), 10**6 * (n % 4 + 1)) for part in range(n)
    )
    return record(f"net{n}", 0, 0.01 * (n % 3 + 1) + 0.001 * n, cost=replace(cost(0), by_op=rows))


NETWORKS = [network(n) for n in SIZES]
ROOF = [
    record(PRODUCT, 1, 0.1, cost=replace(cost(10**9), by_op=(op("", "linear", 10**9, 0, 3),))),
    record(COPY, 1, 0.1, cost=replace(cost(0), by_op=(op("", "clone", 0, 0, 10**8),))),
]


def test_every_network_has_a_row_and_the_roof_has_none():
    page = measured.page([*ROOF, *NETWORKS])
    assert {f"net{n}" for n in SIZES} < rows(page).keys()
    assert not {PRODUCT, COPY} & rows(page).keys()
    median_s = number(COLUMNS["wall_s"]._replace(unit=PLAIN), ROOF[0]) or 0.0
    roof = f"reaches {1 / median_s:.4g} GFLOP/s here and a copy {0.4 / median_s:.4g} GB/s, in fp32, on 2 threads"
    assert roof in page


@pytest.mark.parametrize("key", PREDICTORS)
def test_a_rank_correlation_is_that_of_an_independent_program_and_lies_in_its_interval(key: str):
    count, clock = ([number(COLUMNS[name], made) or 0.0 for made in NETWORKS] for name in (key, "wall_s"))
    row = rows(measured.page(NETWORKS))[COLUMNS[key].heading]
    _, rho, low, high, networks = map(float, ["nan", *row[1:]])
    assert rho == pytest.approx(spearmanr(count, clock).statistic, abs=0.005)
    assert low <= rho <= high
    assert networks == len(NETWORKS)


def test_every_plot_that_the_page_shows_is_one_of_its_files():
    records = [*ROOF, *NETWORKS]
    shown = {
        line.split("plots/cpu-")[1].removesuffix(".svg)")
        for line in measured.page(records).splitlines()
        if line.startswith("![")
    }
    assert shown == set(measured.pictures(records)) == {"thesis", "roofline", "cost"}


def test_what_is_published_names_no_host_and_is_otherwise_whole():
    made = record(
        "net", 10**9, 0.01, environment=replace(CPU, host="5bce98f73f3e", kernel="6.1-a", container="docker", ci="a b")
    )
    line = store.dump_line(measure.published(made))
    assert not [name for name in ("5bce98f73f3e", "6.1-a", "docker", "a b") if name in line]
    assert replace(measure.published(made), environment=made.environment) == made
