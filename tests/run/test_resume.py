from dataclasses import replace

import pytest

from backbone_bench.jobs.job import Job
from backbone_bench.records import Energy, Latencies, Missing
from backbone_bench.run.messages import ResolvedJob
from backbone_bench.run.resume import already_done, answers, jobs_again
from tests.report.samples import NO_EVENTS, NO_GRAPH, counted, gpu_record, latency, record

JOB = Job("one", {}, threads=2)
RECORD = record("one", 4_000_000, 0.01)
QUICK = replace(RECORD, latency=Latencies(replace(latency(0.01), status="quick"), NO_EVENTS, NO_GRAPH))
FAILED = replace(RECORD, latency=Missing("failed", "was killed"), energy=Missing("failed", "was killed"))
AUTO = replace(RECORD, flags=("auto_batch",))


def here(jobs):
    """Resolve jobs as on the machine that made the records."""
    return [ResolvedJob(replace(RECORD.workload, model=job.model, batch=job.batch), RECORD.environment) for job in jobs]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"arguments": {"width": 2}},
        {"batch": 2},
        {"precision": "fp16"},
        {"memory_format": "channels_last"},
        {"compile": "default"},
        {"mode": "train"},
        {"cache": "cold"},
        {"threads": 1},
        {"seed": 1},
        {"input_size": 64},
        {"inputs": ("3x64x64:float32",)},
        {"batch": "auto"},
        {"energy": "required"},
    ],
    ids=str,
)
def test_a_record_answers_no_job_that_asks_for_anything_else(change):
    assert answers(RECORD, JOB)
    assert not answers(RECORD, replace(JOB, **change))


def test_a_record_of_a_users_model_answers_with_the_batch_of_its_examples():
    made = replace(RECORD, workload=replace(RECORD.workload, model="net.py:Net", source="file", batch=3))
    job = replace(JOB, model="net.py:Net")
    assert answers(made, job)
    assert not answers(made, replace(job, batch=2))
    assert not answers(made, replace(job, input_size=64))


@pytest.mark.parametrize(
    ("made", "job", "does"),
    [
        (RECORD, JOB, True),
        (RECORD, replace(JOB, quick=True), True),
        (QUICK, JOB, False),
        (QUICK, replace(JOB, quick=True), True),
        (FAILED, JOB, False),
        (replace(RECORD, cost=Missing("failed", "was killed")), JOB, False),
        (counted("one", 4_000_000), JOB, False),
        (counted("one", 4_000_000), replace(JOB, latency=False, energy="off"), True),
        (AUTO, JOB, False),
        (AUTO, replace(JOB, batch="auto"), True),
    ],
)
def test_only_a_record_that_is_whole_for_the_job_answers_it(made, job, does):
    assert answers(made, job) is does


def test_a_job_is_answered_by_the_latest_record_made_in_these_circumstances():
    later = replace(
        RECORD, id="later", started_utc="2001-01-01T00:00:00Z"
    )  # later in the file, whatever its start time
    assert already_done([JOB, replace(JOB, model="other")], [RECORD, later], here) == [later, None]


def test_a_record_of_another_machine_or_of_another_default_input_answers_nothing():
    def elsewhere(jobs):
        return [replace(place, environment=replace(place.environment, torch="2.14.0")) for place in here(jobs)]

    def other_input(jobs):
        return [replace(place, workload=replace(place.workload, inputs=("1x3x64x64:float32",))) for place in here(jobs)]

    assert already_done([JOB], [RECORD], elsewhere) == [None]
    assert already_done([JOB], [RECORD], other_input) == [None]


@pytest.mark.parametrize(("precision", "dtype"), [("fp16", "float16"), ("bf16", "bfloat16"), ("amp", "float32")])
def test_inputs_are_told_apart_as_the_model_takes_them_not_as_they_are_asked_for(precision, dtype):
    inputs = (f"1x3x16x16:{dtype}", "1x8:int64")
    made = replace(RECORD, workload=replace(RECORD.workload, precision=precision, inputs=inputs))
    job = replace(JOB, precision=precision, inputs=("3x16x16:float32", "8:int64"))
    assert answers(made, job)
    assert not answers(made, replace(job, inputs=("3x16x16:float32", "8:int32")))


def test_a_job_that_cannot_be_located_is_run():
    assert already_done([JOB], [RECORD], lambda jobs: [None] * len(jobs)) == [None]


def test_nothing_is_asked_where_no_record_could_answer():
    def resolve(jobs):
        pytest.fail("a process was started for nothing")

    assert already_done([JOB], [FAILED], resolve) == [None]


def test_a_batch_that_was_found_the_largest_is_not_sought_again():
    batches: list[object] = []

    def resolve(jobs):
        batches.extend(job.batch for job in jobs)
        return here(jobs)

    found = replace(AUTO, workload=replace(AUTO.workload, batch=64))
    assert already_done([replace(JOB, batch="auto")], [found], resolve) == [found]
    assert batches == [64]


@pytest.mark.parametrize("made", [RECORD, QUICK, gpu_record("two", 1, 0.01, batch=8)], ids=["cpu", "quick", "gpu"])
def test_the_job_of_a_record_is_answered_by_it(made):
    job = Job.from_record(made)
    assert answers(made, job)
    assert job.device == made.environment.device
    assert job.quick == (made is QUICK)


@pytest.mark.parametrize(("reason", "energy"), [("not_asked", "off"), ("rapl_missing", "auto"), ("failed", "auto")])
def test_a_rerun_asks_for_energy_where_the_record_was_asked_for_it(reason, energy):
    assert Job.from_record(replace(RECORD, energy=Missing(reason, "why"))).energy == energy


def test_a_rerun_takes_the_models_own_inputs_where_these_were_run_and_spells_them_out_elsewhere():
    other = replace(RECORD, workload=replace(RECORD.workload, inputs=("1x3x64x64:float32",)))
    default, explicit = jobs_again([RECORD, other], here)
    assert (default.inputs, explicit.inputs) == ((), ("3x64x64:float32",))


ON_GPU = gpu_record("one", 4_000_000, 0.001)
assert isinstance(ON_GPU.energy, Energy)
WAITING = replace(ON_GPU, energy=replace(ON_GPU.energy, mode="wall"))
BOTH = replace(ON_GPU, wall_energy=WAITING.energy)


@pytest.mark.parametrize(
    ("made", "runs", "does"),
    [
        (ON_GPU, "graph", True),
        (ON_GPU, "wall", False),
        (ON_GPU, "both", False),
        (WAITING, "graph", False),
        (WAITING, "wall", True),
        (BOTH, "both", True),
        (BOTH, "graph", True),
    ],
    ids=str,
)
def test_a_record_answers_a_job_only_with_the_energy_of_the_runs_that_it_asks_for(made, runs, does):
    job = replace(Job.from_record(made), energy_of=runs)
    assert answers(made, job) is does
