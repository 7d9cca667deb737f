"""Record files: no record is lost or half written, and a foreign file is refused."""

import errno
import functools
import json
import multiprocessing
import operator
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import UserError
from backbone_bench.records import Missing, known, store
from backbone_bench.records.energy import PaperEnergy
from tests.report.samples import gpu_record, record

ONE = record("vovnet39", 7072227328, 0.1)
TWO = replace(record("resnet50", 4089184256, 0.05), latency=Missing("failed", "out of memory"))


def silent(_: str) -> None:
    raise AssertionError("nothing was cut short")


@pytest.mark.parametrize("name", ["some.json", "some.jsonl"])
def test_what_is_written_is_read_back(tmp_path, name):
    path = tmp_path / name
    store.write(path, (store.dumps if name.endswith("n") else store.dump_lines)([ONE, TWO]))
    assert store.read([path], silent) == (ONE, TWO)


def test_every_record_written_is_valid_against_the_schema():
    schema = store.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for some in (ONE, TWO):
        jsonschema.validate(json.loads(store.dump_line(some)), schema)


def test_a_cost_that_several_lines_share_is_parsed_once_and_each_record_keeps_its_own(tmp_path):
    other = replace(ONE, id="other", cost=replace(known(ONE.cost), params=known(ONE.cost).params + 1))
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_lines([ONE, TWO, other, ONE]))
    found = store.read([path], silent)
    assert found == (ONE, TWO, other, ONE)
    assert found[0].cost is found[3].cost


@pytest.mark.parametrize("name", ["cost", "latency", 'cost":{"params":'])
def test_an_argument_that_is_called_like_a_part_of_a_record_hides_nothing(tmp_path, name):
    some = replace(ONE, workload=replace(ONE.workload, arguments={name: 1, "latency": "}"}))
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_line(some))
    assert store.read([path], silent) == (some,)


# Keywords that say nothing about what is valid.
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "readOnly"}
BY_NAME = {"$defs", "properties"}  # their members are named by us


def test_every_keyword_of_the_schema_is_one_of_json_schema():
    def keywords(part: Any) -> Iterator[str]:
        if isinstance(part, list):
            for child in part:
                yield from keywords(child)
        elif isinstance(part, dict):
            yield from part
            for key, value in part.items():
                for child in value.values() if key in BY_NAME else [] if key in ANNOTATIONS else [value]:
                    yield from keywords(child)

    used = set(keywords(store.schema()))
    assert {"exclusiveMinimum", "minItems", "$ref"} <= used
    assert used <= jsonschema.Draft202012Validator.VALIDATORS.keys() | ANNOTATIONS


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("latency.wall.samples_s", []),
        ("latency.wall.samples_s.0", -1.0),
        ("energy.trials", []),
        ("energy.trials.0.window_s", 0),
        ("energy.paper.readings_w", []),
        ("workload.batch", 0),
    ],
)
def test_what_a_record_cannot_hold_is_invalid_against_the_schema_too(tmp_path, path, value):
    on_gpu = gpu_record("resnet50", 4089184256, 0.001)
    energy = replace(known(on_gpu.energy), paper=PaperEnergy("power_instant", (300.0, 310.0), 0.01, 1))
    document = json.loads(store.dump_line(replace(on_gpu, energy=energy)))
    *folders, last = (int(name) if name.isdigit() else name for name in path.split("."))
    place = functools.reduce(operator.getitem, folders, document)
    jsonschema.validate(document, store.schema())
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, store.schema())
    file = tmp_path / "some.jsonl"
    file.write_text(json.dumps(document) + "\n")
    with pytest.raises(UserError):
        store.read([file], silent)


def test_derived_figures_are_written_and_never_read_back(tmp_path):
    written = json.loads(store.dump_line(ONE))
    assert written["cost"]["flops"] == 7072227328
    written["cost"]["flops"] = 1
    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps(written) + "\n")
    assert store.read([path], silent) == (ONE,)


@pytest.mark.parametrize("dump", [store.dumps, store.dump_lines])
def test_a_pipe_is_read_by_what_it_says(dump):
    read_end, write_end = os.pipe()
    os.write(write_end, dump([ONE]).encode())
    os.close(write_end)
    assert store.read([Path(f"/dev/fd/{read_end}")], silent) == (ONE,)
    os.close(read_end)


def test_a_byte_order_mark_is_no_part_of_a_record(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_lines([ONE, TWO]), encoding="utf-8-sig")
    assert store.read([path], silent) == (ONE, TWO)


def test_line_ends_of_windows_are_line_ends(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_bytes(store.dump_lines([ONE, TWO]).replace("\n", "\r\n").encode())
    store.append(path, ONE)
    assert store.read([path], silent) == (ONE, TWO, ONE)


@pytest.mark.parametrize("cut", [1, 100, len(store.dump_line(TWO)) - 3])
def test_a_last_line_that_was_cut_short_is_reported_and_passed_over(tmp_path, cut):
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_line(ONE) + store.dump_line(TWO)[: -1 - cut])
    warnings: list[str] = []
    assert store.read([path], warnings.append) == (ONE,)
    assert "line 2" in warnings[0]


def test_a_broken_line_amid_others_is_refused(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_line(ONE)[:100] + "\n" + store.dump_line(TWO))
    with pytest.raises(UserError, match="line 1 is not JSON"):
        store.read([path], silent)


@pytest.mark.parametrize("before", ["", "whole", "unended", "cut"])
def test_appending_never_leaves_a_broken_line_amid_others(tmp_path, before):
    path = tmp_path / "some.jsonl"
    line = store.dump_line(ONE)
    path.write_text({"": "", "whole": line, "unended": line.rstrip("\n"), "cut": line[:100]}[before])
    store.append(path, TWO)
    assert store.read([path], silent) == ((ONE, TWO) if before in ("whole", "unended") else (TWO,))


LONG = replace(ONE, flags=("x" * (1 << 18),))  # a line too long for one write to a pipe or a buffer


def _append_many(path: str, count: int) -> None:
    for _ in range(count):
        store.append(Path(path), LONG)


def test_two_processes_that_append_to_one_file_lose_nothing(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_line(LONG)[:-9])  # a third one was killed
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append_many, args=(str(path), 20)) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        store.read([path], warn=lambda _: None)  # a reader may come at any moment
    assert store.read([path], silent) == (LONG,) * 40


def test_a_line_that_the_disk_has_no_room_for_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "some.jsonl"
    store.append(path, ONE)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UserError, match="No space left"):
        store.append(path, LONG)
    assert path.read_text() == store.dump_line(ONE)


def full_disk(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "some.json"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UserError, match="No space left"):
        store.write(path, store.dumps([ONE]))
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["some.json"]


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "some.json"
    path.write_text("before")
    path.chmod(0o640)
    store.write(path, "after")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "some.json", tmp_path / "link.json"
    link.symlink_to(file)
    for text in ("new", "again"):
        store.check_writable(link)
        store.write(link, text)
        assert (link.is_symlink(), file.read_text()) == (True, text)
    assert [found.name for found in file.parent.iterdir()] == ["some.json"]


def test_a_file_that_is_mounted_alone_is_written_all_the_same(tmp_path, monkeypatch):
    path = tmp_path / "some.json"
    path.write_text("before")

    def busy(old: str, new: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    store.write(path, "after")
    assert path.read_text() == "after"
    assert [file.name for file in tmp_path.iterdir()] == ["some.json"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("no/such/folder/a.json", "there is no folder"),
        ("", "it is a folder"),
        ("fifo.jsonl", "it is not a regular file"),
        (f"{'x' * 300}.json", "File name too long"),
        ("loop.json", "Too many levels of symbolic links"),
    ],
)
def test_an_output_that_cannot_be_written_is_known_before(tmp_path, place, reason):
    os.mkfifo(tmp_path / "fifo.jsonl")
    (tmp_path / "loop.json").symlink_to("loop.json")
    with pytest.raises(UserError, match=f"Cannot write .*{reason}"):
        store.check_writable(tmp_path / place)


def test_a_disk_that_is_full_is_known_before(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UserError, match="No space left"):
        store.check_writable(tmp_path / "some.jsonl")


def test_looking_whether_a_file_can_be_written_leaves_no_trace(tmp_path):
    there = tmp_path / "there.json"
    there.write_text("before")
    for path in (there, tmp_path / "new.jsonl"):
        store.check_writable(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("there.json", "before")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON file"),
        ("[]", "holds no records"),
        ('{"a": 1}', "holds no records"),
        ('{"records": [1]}', "record 1 is not a record"),
        ('{"records": [{}]}', "schema version None"),
        ('{"records": [{"schema_version": "1"}]}', "record 1 is not a record of backbone-bench: id"),
        ('{"records": [{"schema_version": "99"}]}', "newer backbone-bench"),
        ('{"records": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "foreign.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        store.read([path], silent)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "foreign.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not text"):
        store.read([path], silent)


def test_an_older_record_climbs_the_ladder(tmp_path, monkeypatch):
    """An invented version 0, which named the workload `job`."""

    def rename(data: store.Json) -> store.Json:
        return {**data, "workload": data["job"], "schema_version": "1"}

    monkeypatch.setattr(store, "UPGRADES", {"0": rename})
    old = json.loads(store.dump_line(ONE))
    old["job"] = old.pop("workload")
    old["schema_version"] = "0"
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(old) + "\n")
    assert store.read([path], silent) == (ONE,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_records_or_one_clear_line(tmp_path_factory, content):
    for suffix in (".json", ".jsonl"):
        path = tmp_path_factory.mktemp("any") / f"any{suffix}"
        path.write_bytes(content)
        try:
            store.read([path], lambda _: None)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017  # reading blank bytes may also succeed


@given(st.sampled_from(["workload", "environment", "cost", "latency", "tool", "flags", "id"]), JSON)
def test_a_record_with_any_part_replaced_is_read_or_refused(tmp_path_factory, part, value):
    changed = {**json.loads(store.dump_line(ONE)), part: value}
    path = tmp_path_factory.mktemp("any") / "any.jsonl"
    path.write_text(json.dumps(changed) + "\n")
    try:
        store.read([path], lambda _: None)
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017  # a value that fits is read


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_a_line_that_is_no_json_is_refused_wherever_the_word_stands(tmp_path, word):
    path = tmp_path / "some.jsonl"
    path.write_text(store.dump_line(ONE).replace("{", f'{{"extra": {word}, ', 1))
    path.write_text(path.read_text() + store.dump_line(ONE))
    with pytest.raises(UserError, match=f"line 1 is not JSON: {word}"):
        store.read([path], silent)


def test_a_line_without_a_version_is_refused_though_its_text_names_one(tmp_path):
    data = json.loads(store.dump_line(ONE))
    del data["schema_version"]
    data["tool"]["argv"] = ['"schema_version": "1"']
    path = tmp_path / "some.jsonl"
    path.write_text(json.dumps(data) + "\n")
    with pytest.raises(UserError, match="line 1 has schema version None"):
        store.read([path], silent)
