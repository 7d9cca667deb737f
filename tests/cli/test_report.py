"""`bench report`: a folder of its own, and nobody else's page."""

from backbone_bench.records import store
from tests.report.samples import RESNET50


def test_a_page_of_another_program_is_not_overwritten_and_an_own_one_is(bench, tmp_path):
    records, folder = tmp_path / "some.jsonl", tmp_path / "site"
    store.write(records, store.dump_line(RESNET50))
    folder.mkdir()
    page = folder / "index.html"
    page.write_text("<h1>My home page</h1>")
    done = bench("report", records, "-o", folder)
    assert (done.code, done.out) == (2, "")
    assert "is not a page of bench report" in done.err
    assert page.read_text() == "<h1>My home page</h1>"
    page.unlink()
    assert [bench("report", records, "-o", folder).code for _ in range(2)] == [0, 0]
