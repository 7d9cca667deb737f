"""Bad input gives one clear line on stderr and exit code 2, before anything is measured or written."""

import pytest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count", "vovnet38"], "Did you mean 'vovnet39'"),
        (["count"], "Name a model"),
        (["count", "--family", "vovnets"], "Did you mean 'vovnet'"),
        (["count", "resnet50", "--input-size", "0"], "the smallest image that works is 1x1"),
        (["count", "vgg19", "--input-size", "10"], "the smallest image that works is 32x32"),
        (["count", "inception_v3", "--input-size", "40"], "the smallest image that works is 75x75"),
        (["count", "resnet50", "--input", "3x224"], "resnet50 cannot take 1x3x224:float32"),
        (
            ["count", "resnet50", "--input", "3x224x224:float31"],
            "'float31' is not a type of torch. Did you mean 'float32'",
        ),
        (["count", "resnet50", "--input", "3,224"], "is not an input shape"),
        (["count", "resnet50", "--input", "3x9x9", "--input-size", "9"], "give one"),
        (["count", "resnet50", "--arg", "classes=10"], "num_classes"),
        (["count", "resnet50", "--arg", "num_classes"], "name=value"),
        (["count", "resnet18", "--arg", "num_classes=-1"], "resnet18 failed: Trying to create tensor with negative"),
        (["count", "resnet18", "--arg", f"num_classes={1 << 62}"], "resnet18 failed: "),
        (["count", "model.pt"], "is a pickle"),
        (["count", "resnet50", "-o", "no/such/folder/a.json"], "there is no folder no/such/folder"),
        (["count", "resnet50", "-o", "a.xlsx"], "the suffix decides the format"),
        (["compare", "none.json"], "Cannot read none.json"),
        (["list", "nothing*"], "no model or family like"),
        (["list", "-f", "html"], "not one of"),
        (["config", "-f", "html"], "not one of"),
        (["clams"], "No such command 'clams'. Did you mean 'claims'? See `bench --help`"),
        (["count", "resnet50", "--bach-size", "2"], "No such option: --bach-size (Possible options: --batch-size"),
        (["run", "resnet50", "--format", "x"], "'-f': 'x' is not one of 'table', 'md',"),
        (["versus", "a", "b", "--budget", "60s"], "See `bench versus --help`."),
        (["count", "resnet50", "--batch-size", "0"], "'--batch-size'"),
        (["count", "resnet50", "--precision", "fp8"], "'fp8'"),
        (["count", "resnet50", "--input-size", "-5"], "'--input-size'"),
        (["count", "resnet50", "--input", "3x9999999999x9999999999"], "more bytes than torch can count"),
        (["count", "resnet50", "--input", f"3x{'9' * 5000}"], "is not an input shape"),
        (["count", "resnet50", "--batch-size", "9" * 20], "'--batch-size'"),
        (["count", "resnet50", "--arg", "num_classes=1e999"], "more than a number can hold"),
        (["count", "resnet50", "--arg", f"num={'[' * 100_000}"], "num_classes"),
        (["count", "resnet50", "-o", f"{'a' * 300}.json"], "File name too long"),
        (["count", f"{'a' * 300}.py:Net"], "There is no file"),
        (["count", "\x1b[31m.py:Net"], r"There is no file \x1b[31m.py"),
    ],
    ids=lambda value: repr(" ".join(value))[:60] if isinstance(value, list) else "",
)
def test_bad_input_is_told_in_one_line_with_exit_2(bench, words, message):
    output = bench(*words)
    assert output.code == 2
    assert output.out == ""
    assert message in output.err
    assert output.err.startswith("bench: ")
    assert output.err.count("\n") == 1


def test_an_output_that_cannot_be_written_is_found_out_before_the_measuring(bench, tmp_path):
    output = bench("run", "vovnet39", "--device", "cpu", "-o", tmp_path / "no" / "a.json")
    assert output.code == 2
    assert output.err.count("\n") == 1  # not even the line that a row begins


@pytest.mark.parametrize("content", ["{", '{"records": 1}', '{"schema_version": "1"}', "not json"])
def test_a_foreign_file_is_refused(bench, tmp_path, content):
    file = tmp_path / "foreign.json"
    file.write_text(content)
    output = bench("compare", file)
    assert (output.code, output.out) == (2, "")
    assert str(file) in output.err
