"""Settings: precedence of their sources, validation, and the jobs made from them."""

from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from backbone_bench.base.errors import UserError
from backbone_bench.cli.app import app
from backbone_bench.cli.job_options import JOINED, is_setting, setting_name
from backbone_bench.jobs.settings import NAMES, Settings, SettingSource, here, resolve
from backbone_bench.records.setting import SETTING_CONDITIONS, Setting

COMMANDS = getattr(typer.main.get_command(app), "commands", {})
PLACES = ("command line", "environment", "bench.toml", "pyproject.toml")


def settings(**values):
    return resolve(
        [SettingSource("bench.toml", {name.replace("_", "-"): value for name, value in values.items()})]
    ).settings


@given(st.lists(st.none() | st.integers(0, 9), min_size=4, max_size=4))
def test_the_first_place_that_speaks_of_a_setting_is_heard(seeds):
    sources = [
        SettingSource(place, {} if seed is None else {"seed": seed}) for place, seed in zip(PLACES, seeds, strict=True)
    ]
    resolved = resolve(sources)
    spoken = [(seed, place) for seed, place in zip(seeds, PLACES, strict=True) if seed is not None]
    assert (resolved.settings.seed, resolved.origins["seed"]) == (spoken[0] if spoken else (0, "default"))


@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), max_size=3
    )
)
def test_any_value_is_taken_or_refused_in_one_line_that_names_place_and_setting(values):
    try:
        assert isinstance(resolve([SettingSource("bench.toml", values)]).settings, Settings)
    except UserError as error:
        line = str(error)
        assert "\n" not in line
        assert line.startswith("bench.toml: ")
        assert any(name in line for name in values)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("batch_size", "Did you mean 'batch-size'?"),
        ("precison", "Did you mean 'precision'?"),
        ("zzz", "The settings are model, "),
    ],
)
def test_an_unknown_setting_is_refused_with_the_closest_name(name, hint):
    with pytest.raises(UserError, match="there is no setting") as refused:
        resolve([SettingSource("bench.toml", {name: 1})])
    assert hint in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("batch-size", "0", "batch-size is '0' and should be at least 1, or 'auto'."),
        ("batch-size", [1, 2.5], "batch-size is 2.5 and should be a whole number, or 'auto'."),
        ("precision", "fp23", "precision is 'fp23' and should be 'fp32', 'tf32', 'fp16', 'bf16' or 'amp'."),
        (
            "energy-source",
            "power",
            "energy-source is 'power' and should be 'auto', 'counter', 'power_instant', 'power_usage' or 'rapl'.",
        ),
        ("budget", float("inf"), "budget is inf and should be a finite number."),
        ("train", "perhaps", "train is 'perhaps' and should be true or false."),
        ("seed", True, "seed is 'true' and should be a whole number."),
        ("model", {"name": 1}, "model is {'name': 1} and should be text."),
    ],
)
def test_a_wrong_value_is_told_with_what_it_should_be(name, value, line):
    with pytest.raises(UserError) as refused:
        resolve([SettingSource("bench.toml", {name: value})])
    assert str(refused.value) == f"bench.toml: {line}"


@given(st.lists(st.integers(1, 99), min_size=1))
def test_a_list_says_the_same_as_its_words_between_commas(sizes):
    listed, spelt = settings(batch_size=sizes), settings(batch_size=", ".join(map(str, sizes)))
    assert listed.batch_size == spelt.batch_size == tuple(dict.fromkeys(sizes))


@given(
    st.lists(st.sampled_from("abc"), min_size=1, unique=True),
    st.fixed_dictionaries(
        {
            "device": st.sets(st.sampled_from(("cpu", "cuda:0", "cuda:1")), min_size=1),
            "precision": st.sets(st.sampled_from(("fp32", "fp16", "amp")), min_size=1),
            "memory_format": st.sets(st.sampled_from(("contiguous", "channels_last")), min_size=1),
            "threads": st.sets(st.integers(1, 4), min_size=1),
            "batch_size": st.sets(st.integers(1, 99), min_size=1),
        }
    ),
)
def test_every_combination_is_a_row_once(models, matrix):
    jobs = settings(**{name: [*values] for name, values in matrix.items()}).jobs(models, {})
    rows = {(job.model, job.device, job.precision, job.memory_format, job.threads, job.batch) for job in jobs}
    axes = (matrix[name] for name in ("device", "precision", "memory_format", "threads", "batch_size"))
    assert rows == set(product(models, *axes))
    assert len(jobs) == len(rows)


@pytest.mark.parametrize(
    ("near", "far", "model", "family"),
    [
        ({"model": "vgg19"}, {"family": "vovnet"}, ("vgg19",), ()),
        ({"family": "vovnet"}, {"model": "vgg19", "seed": 1}, (), ("vovnet",)),
        ({"seed": 1}, {"model": "vgg19", "family": "vovnet"}, ("vgg19",), ("vovnet",)),
    ],
)
def test_the_first_place_that_says_which_models_says_all_of_them(near, far, model, family):
    chosen = resolve([SettingSource("command line", near), SettingSource("bench.toml", far)]).settings
    assert (chosen.model, chosen.family, chosen.seed) == (model, family, near.get("seed", far.get("seed", 0)))


def test_files_are_found_above_the_folder_and_not_beyond_the_checkout(tmp_path):
    folder = tmp_path / "checkout" / "models" / "deep"
    folder.mkdir(parents=True)
    (tmp_path / "bench.toml").write_text("seed = 1")
    (tmp_path / "checkout" / "pyproject.toml").write_text("[tool.backbone-bench]\nseed = 2\n[tool.other]\nx = 1")
    (tmp_path / "checkout" / ".git").mkdir()
    assert resolve(here({}, folder)).settings.seed == 2
    (tmp_path / "checkout" / "models" / "bench.toml").write_text("seed = 3")
    resolved = resolve(here({}, folder))
    assert (resolved.settings.seed, resolved.origins["seed"]) == (3, str(folder.parent / "bench.toml"))


def test_a_variable_of_the_environment_is_a_setting_and_others_are_none_of_ours(tmp_path):
    environ = {"BACKBONE_BENCH_BATCH_SIZE": "1,auto", "BATCH_SIZE": "7", "PATH": "/bin"}
    resolved = resolve(here(environ, tmp_path))
    assert resolved.settings.batch_size == (1, "auto")
    assert resolved.origins["batch-size"] == "environment"


@pytest.mark.parametrize(
    "content",
    [b"seed = ", b"\xff\xfe", b"[tool", b"seed = 1\nseed = 2", b"a = " + b"[" * 5000],
    ids=lambda content: repr(content[:10]),
)
@pytest.mark.parametrize("name", ["bench.toml", "pyproject.toml"])
def test_a_file_that_is_no_toml_is_told_with_its_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} is not TOML"):
        resolve(here({}, tmp_path))


@pytest.mark.parametrize(("name", "table"), [("bench.toml", ""), ("pyproject.toml", "[tool.backbone-bench]\n")])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, name, table):
    (tmp_path / name).write_text(f"{table}seed = 7", encoding="utf-8-sig")
    assert resolve(here({}, tmp_path)).settings.seed == 7


@pytest.mark.parametrize(
    "text", ["tool = 3", "[tool]\nbackbone-bench = 3", "[[tool]]\nx = 1", "[tool.backbone-bench]\nseed = {a = 1}"]
)
def test_a_table_that_is_none_is_told(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UserError, match=r"pyproject\.toml"):
        resolve(here({}, Path(tmp_path)))


def test_every_setting_is_an_option_of_run_and_every_option_that_says_what_a_row_is_is_a_setting():
    """`run` never names most of its parameters in code: they become settings by their names."""
    parameters = {parameter.name for parameter in COMMANDS["run"].params}
    named = {setting_name(name) for name in parameters if is_setting(name) and name not in JOINED}
    joined = {"model", "memory-format", "energy"}  # each set by several options together
    assert named | joined == set(NAMES)
    assert parameters >= JOINED


# Another value of every setting that says what a job is. The others choose models or say how to run the rows.
OTHERS = {
    "device": ("cuda",), "batch_size": (2,), "input": ("3x8x8",), "input_size": (64,), "precision": ("bf16",),
    "memory_format": ("channels_last",), "threads": (2,), "compile": "default", "train": True, "cache": "cold",
    "optimizer": "sgd", "seed": 1, "latency": False, "energy": "required", "energy_of": "both", "energy_window": 2.0,
    "energy_source": "rapl", "protocol": "paper", "allow_whole_card": True, "lock_clocks": "base",
    "cross_check": True, "quick": True, "budget": 3.0, "wait_for_cool": 9.0, "layers": True, "trace": "trace.json",
}  # fmt: skip
ABOUT_NO_JOB = {"model", "family", "all", "arg", "timeout", "in_process"}


def test_every_setting_reaches_the_job():
    assert {field.name for field in fields(Settings)} == OTHERS.keys() | ABOUT_NO_JOB
    (usual,) = settings().jobs(["net"], {})
    for name, value in OTHERS.items():
        needed = {"train": True} if name == "optimizer" else {}
        (job,) = settings(**needed, **{name: value}).jobs(["net"], {})
        assert job != usual, name


def test_an_optimizer_without_training_is_refused():
    with pytest.raises(UserError, match="give --train too"):
        settings(optimizer="sgd").jobs(["net"], {})


def test_every_shared_field_is_told_as_a_condition():
    assert {condition.key for condition in SETTING_CONDITIONS} == {field.name for field in fields(Setting)} - {"model"}


def test_each_input_size_is_a_row_and_the_batches_of_a_size_are_adjacent():
    jobs = settings(input_size="224,320", batch_size="1,32").jobs(["net"], {})
    assert [(job.input_size, job.batch) for job in jobs] == [(224, 1), (224, 32), (320, 1), (320, 32)]
