import multiprocessing
from dataclasses import replace

import pytest

from backbone_bench.base.errors import UserError
from backbone_bench.records import Latencies, Missing, store
from backbone_bench.run.fleet import collect, lock, plan
from tests.run.fleet.plans import made, planned


def write(of, writer, *records):
    collect.parts(of.output).mkdir(exist_ok=True)
    for record in records:
        store.append(collect.parts(of.output) / f"{writer}.jsonl", record)


def collected(of):
    collect.collect(of, pytest.fail)
    return [record.id for record in store.read([of.output], pytest.fail)]


def test_records_of_all_parts_are_collected_once_by_row(tmp_path):
    of = planned(tmp_path)
    write(of, "17_0-0", made(of, 1), made(of, 3))
    write(of, "17_1-0", made(of, 2))
    assert collected(of) == ["1@n1", "2@n1", "3@n1"]
    assert collected(of) == ["1@n1", "2@n1", "3@n1"]
    assert collect.recorded(of) == [1, 2, 3]


def test_a_row_that_two_machines_have_run_is_collected_once(tmp_path):
    """A machine that was given up may still have gone on."""
    of = planned(tmp_path)
    write(of, "17_0-0", made(of, 1, node="n1"))
    write(of, "17_0-1", made(of, 1, node="n2"))
    assert collected(of) == ["1@n1"]
    write(of, "17_0-2", made(of, 1, node="n3"))
    assert collected(of) == ["1@n1"]


def test_a_complete_record_follows_one_that_failed_and_takes_its_place(tmp_path):
    of = planned(tmp_path)
    write(of, "17_0-0", made(of, 1, id="broken", latency=Missing("failed", "was killed")))
    assert collected(of) == ["broken"]
    assert not collect.complete(of, 1, collect.read(of, pytest.fail)[1])
    write(of, "17_0-1", made(of, 1, id="whole"))
    assert collected(of) == ["broken", "whole"]
    assert collect.read(of, pytest.fail)[1].id == "whole"
    assert collected(of) == ["broken", "whole"]


def test_two_records_that_failed_in_part_are_collected_once(tmp_path):
    of = planned(tmp_path)
    for number in range(2):
        write(of, f"17_0-{number}", made(of, 1, id=f"broken {number}", latency=Missing("failed", "was killed")))
    first = collected(of)
    assert collected(of) == first
    assert collect.recorded(of) == []  # nothing complete


def test_records_of_another_plan_or_of_no_fleet_are_left_alone(tmp_path):
    of = planned(tmp_path)
    other = replace(of, conditions=replace(of.conditions, id="another"))
    store.append(of.output, made(other, 1))
    store.append(of.output, replace(made(of, 2), placement=None))
    assert collect.read(of, pytest.fail) == {}
    assert collect.recorded(of) == []


def test_a_record_that_was_cut_short_counts_as_none(tmp_path):
    of = planned(tmp_path)
    line = store.dump_line(made(of, 1))
    of.output.write_text(line[:-9])
    assert collect.recorded(of) == []
    said: list[str] = []
    assert collect.read(of, said.append) == {}
    assert len(said) == 1


def test_the_quick_look_and_the_whole_reading_agree(tmp_path):
    of = planned(tmp_path)
    write(of, "a", made(of, 1), replace(made(of, 3), flags=('"placement":{"plan":"', "quick")))
    assert collect.recorded(of) == sorted(collect.collect(of, pytest.fail).by_row)


def _collect(of, start):
    start.wait()
    collect.collect(of, print)


def test_collectors_at_one_time_collect_each_row_once(tmp_path):
    of = planned(tmp_path, models=[f"m{number}" for number in range(12)])
    for row in of.rows:
        write(of, f"17_{row.row}-0", made(of, row.row))
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    collectors = [context.Process(target=_collect, args=(of, start)) for _ in range(4)]
    for one in collectors:
        one.start()
    for one in collectors:
        one.join()
    assert len(store.read([of.output], pytest.fail)) == 12


def test_a_sweep_has_one_driver_at_a_time_and_says_which(tmp_path):
    of = planned(tmp_path)
    assert lock.driver(of.output) is None
    with lock.driving(of.output):
        found = lock.driver(of.output)
        assert found is not None
        assert found.pid == multiprocessing.current_process().pid
        with pytest.raises(UserError, match="is being measured already"), lock.driving(of.output):
            pass
    assert lock.driver(of.output) is None


def test_a_lock_of_a_longer_past_is_read_as_it_is_now(tmp_path):
    of = planned(tmp_path)
    path = plan.folder(of.output) / "driver.lock"
    path.write_text("x" * 500)
    with lock.driving(of.output):
        found = lock.driver(of.output)
        assert found is not None
        assert found.pid == multiprocessing.current_process().pid
        path.write_text("")  # as between the lock and what is written into it
        assert lock.driver(of.output) is not None


def test_a_sample_record_is_complete(tmp_path):
    of = planned(tmp_path)
    assert isinstance(made(of, 1).latency, Latencies)
    assert collect.complete(of, 1, made(of, 1))
