"""The command line: results on stdout, exit codes, and every refusal one clear line."""

import ast
import gzip
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from exactdrl_cli.main import COMMANDS, cli, main

import exactdrl

GOOD = {
    "format": "exactdrl-instance",
    "version": 1,
    "network": {"layers": [{"weight": [["1", "-0.25"]], "bias": ["0x1.8p-1"]}, {"weight": [["1"]], "bias": None}]},
    "layer": 1,
    "loss": {"kind": "absolute"},
    "data": {"inputs": [["1", "0"], ["0", "2"], ["1", "1"], ["3", "1"]], "targets": [["1"], ["2"], ["0"], ["1/3"]]},
}


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def edited(**changes):
    """A copy of the good instance with entries replaced; a path like data__inputs goes into the object."""
    text = json.loads(json.dumps(GOOD))
    for path, value in changes.items():
        at = text
        *way, last = path.split("__")
        for key in way:
            at = at[int(key) if isinstance(at, list) else key]
        at[int(last) if isinstance(at, list) else last] = value
    return json.dumps(text)


def test_the_main_job(tmp_path, capsys, monkeypatch):
    """sample, walk, verify and export do their work and end with 0."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "sample", "-o", "a.json", "--samples", 15, "--widths", "2,3,1", "--bits", 8, "--seed", 1)[0] == 0
    code, out, err = run(capsys, "walk", "a.json", "-o", "a.drl")
    assert code == 0
    assert "local minimum" in out
    assert err == ""
    assert run(capsys, "verify", "a.json", "a.drl")[:2][0] == 0
    code, out, _ = run(capsys, "walk", "a.json", "-o", "b.drl", "--json")
    result = json.loads(out)
    assert (code, Path("a.drl").read_bytes()) == (0, Path("b.drl").read_bytes())
    assert result["steps"] == Path("a.drl").read_text().count('"flip"')
    assert run(capsys, "export", "a.json", "a.drl", "--losses", "l.csv", "--vertices", "v.jsonl")[0] == 0
    assert Path("l.csv").read_text().splitlines()[0] == "step,phase,loss,loss_float"


def test_limit_and_resume(tmp_path, capsys, monkeypatch):
    """A limit ends with 3; --resume ends with 0 and the same bytes."""
    monkeypatch.chdir(tmp_path)
    run(capsys, "sample", "-o", "a.json", "--samples", 15, "--widths", "2,3,1", "--bits", 8, "--seed", 1)
    assert run(capsys, "walk", "a.json", "-o", "a.drl", "--max-steps", 2)[0] == 3
    assert run(capsys, "walk", "a.json", "-o", "a.drl", "--resume")[0] == 0
    run(capsys, "walk", "a.json", "-o", "b.drl")
    assert Path("a.drl").read_bytes() == Path("b.drl").read_bytes()


def test_sample_is_reproducible(tmp_path, capsys, monkeypatch):
    """Same seed, same file, byte for byte, plain and compressed; another seed, another file."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "b.json", "a.json.gz", "b.json.gz"):
        run(capsys, "sample", "-o", name, "--samples", 9, "--seed", 5)
    run(capsys, "sample", "-o", "c.json", "--samples", 9, "--seed", 6)
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes() != Path("c.json").read_bytes()
    assert Path("a.json.gz").read_bytes() == Path("b.json.gz").read_bytes()
    assert gzip.decompress(Path("a.json.gz").read_bytes()) == Path("a.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (edited(data__inputs__0__1="nan"), "data.inputs[0][1]: not a number: 'nan'"),
        (edited().replace('"0"', "NaN", 1), "data.inputs[0][1]: not a number: 'NaN'"),
        (edited().replace('"0"', "-Infinity", 1), "data.inputs[0][1]: not a number: '-Infinity'"),
        (edited(data__inputs__0__1="1_0"), "data.inputs[0][1]: not a number: '1_0'"),
        (edited(data__inputs__0__1="+1"), "data.inputs[0][1]: not a number: '+1'"),
        (edited(data__inputs__0__1=" 1"), "data.inputs[0][1]: not a number: ' 1'"),
        (edited(data__inputs__0__1="\u0661"), "data.inputs[0][1]: not a number"),
        (edited(data__inputs__0__1=""), "data.inputs[0][1]: not a number: ''"),
        (edited(data__inputs__0__1=None), "data.inputs[0][1]: not a number: None"),
        (edited(data__inputs__0__1=True), "data.inputs[0][1]: not a number: True"),
        (edited(data__inputs__0__1="1/0"), "denominator 0"),
        (edited(data__inputs__0__1="1e999999999"), "exponent beyond 10000"),
        (edited(data__inputs__0__1="0x1p99999"), "exponent beyond 40000"),
        (edited(data__inputs__1=["1"]), "data.inputs[1] has 1 entries, data.inputs[0] has 2"),
        (edited(data__inputs=[]), "data.inputs is empty"),
        (edited(data__inputs=[[]]), "data.inputs[0] is empty"),
        (edited(data__inputs=7), "data.inputs: a list of rows is needed"),
        (edited(data__targets=[["1"]]), "data.targets has 1 rows, data.inputs has 4"),
        (edited(data__targets=[["1", "2"]] * 4), "data.targets has 2 columns, the network has 1 outputs"),
        (edited(layer=0), "layer is 0, the network has layers 1 to 2"),
        (edited(layer=3), "layer is 3, the network has layers 1 to 2"),
        (edited(layer=1.5), "layer is 1.5, an integer is needed"),
        (edited(layer="1"), "layer is '1', an integer is needed"),
        (edited(layer=True), "layer is True, an integer is needed"),
        (edited(start=[["0", "0"]]), "start has shape (1, 2), layer 1 needs (1, 3)"),
        (edited(network__layers__1__weight=[["1", "2"]]), "weight has 2 columns, layer 1 has width 1"),
        (edited(network__layers__0__bias=["1", "2"]), "bias has 2 entries, weight has 1 rows"),
        (edited(network__layers=[]), "network.layers is empty"),
        (edited(extra=1), "unknown key 'extra'"),
        (edited(data__weights=1), "data: unknown key 'weights'"),
        (edited().replace('"layer": 1', '"layer": 1, "layer": 1'), "key 'layer' is repeated"),
        (edited().replace('"layer": 1,', ""), "key 'layer' is missing"),
        (edited(format="other"), "format is 'other'"),
        (edited(version=3), "version is 3"),
        (edited(loss__kind="squared"), "loss.kind is 'squared'"),
        ("[1, 2", "not JSON"),
        ("[" * 100000, "nested too deeply"),
        ("[]", "the file holds no JSON object"),
        ("", "not JSON"),
    ],
)  # fmt: skip
def test_bad_instances(tmp_path, capsys, text, message):
    """Every bad instance is refused with the place and the value, exit 2, nothing written, no traceback."""
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    code, out, err = run(capsys, "walk", tmp_path / "a.json", "-o", tmp_path / "a.drl")
    assert code == 2
    assert message in err
    assert out == ""
    assert err.count("\n") == 1
    assert not (tmp_path / "a.drl").exists()


def test_bad_files(tmp_path, capsys):
    """Missing, truncated, compressed badly, existing, unwritable: each is one line and exit 2, nothing is written over."""
    good = tmp_path / "a.json"
    good.write_text(edited())
    whole = gzip.compress(edited().encode())
    (tmp_path / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bad.json.gz").write_bytes(b"no gzip")
    (tmp_path / "latin.json").write_bytes(b'{"\xe9": 1}')
    (tmp_path / "there.drl").write_text("mine")
    cases = [
        (("walk", tmp_path / "none.json", "-o", tmp_path / "x.drl"), "cannot be read"),
        (("walk", tmp_path, "-o", tmp_path / "x.drl"), "cannot be read"),
        (("walk", tmp_path / "cut.json.gz", "-o", tmp_path / "x.drl"), "not a whole gzip file"),
        (("walk", tmp_path / "bad.json.gz", "-o", tmp_path / "x.drl"), "not a whole gzip file"),
        (("walk", tmp_path / "latin.json", "-o", tmp_path / "x.drl"), "not UTF-8"),
        (("walk", good, "-o", tmp_path / "there.drl"), "exists already (--force writes over it)"),
        (("walk", good, "-o", tmp_path / "no" / "x.drl"), "does not exist"),
        (("walk", good, "-o", tmp_path / "x.txt"), "ends in .drl or .drl.gz"),
        (("walk", good, "-o", tmp_path / "x.drl", "--rule", "best"), "'best' is not one of"),
        (("walk", good), "Missing option"),
        (("walk", good, "-o", tmp_path / "x.drl", "--resume", "--force"), "exclude each other"),
        (("sample", "-o", good), "exists already"),
        (("sample", "-o", tmp_path / "x.txt"), "ends in .json"),
        (("sample", "-o", tmp_path / "x.json", "--widths", "4"), "at least two"),
        (("sample", "-o", tmp_path / "x.json", "--widths", "4,a"), "is not a list of widths"),
        (("sample", "-o", tmp_path / "x.json", "--samples", "0"), "at least 1"),
        (("sample", "-o", tmp_path / "x.json", "--bits", "99"), "1 to 53"),
        (("export", good, tmp_path / "there.drl"), "name a file with --vertices, --losses or --vipr"),
        (("export", good, tmp_path / "there.drl", "--losses", tmp_path / "l.csv"), "the last line has no newline"),
        (("nothing",), "No such command"),
    ]
    for arguments, message in cases:
        code, _, err = run(capsys, *arguments)
        assert (code, message in err) == (2, True), (arguments, err)
        assert "Traceback" not in err
    assert (tmp_path / "there.drl").read_text() == "mine"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("x.")]


def test_certificate_for_another_instance(tmp_path, capsys):
    """verify and export refuse a certificate for another instance with exit 2; a false claim is exit 1."""
    for seed in (1, 2):
        run(
            capsys,
            "sample",
            "-o",
            tmp_path / f"{seed}.json",
            "--samples",
            8,
            "--widths",
            "2,2,1",
            "--seed",
            seed,
            "--bits",
            6,
        )
        run(capsys, "walk", tmp_path / f"{seed}.json", "-o", tmp_path / f"{seed}.drl")
    code, out, _ = run(capsys, "verify", tmp_path / "1.json", tmp_path / "2.drl")
    assert code == 2
    assert out.startswith("malformed:")
    code, _, err = run(capsys, "export", tmp_path / "1.json", tmp_path / "2.drl", "--losses", tmp_path / "l.csv")
    assert code == 2
    assert "is for the instance" in err
    assert not (tmp_path / "l.csv").exists()


def test_command_table():
    """The table of commands, by which help comes without imports, says what the commands say."""
    context = click.Context(cli)
    for name, (_, _, text) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.name, command.get_short_help_str(200)) == (name, text)
    assert cli.get_command(context, "nothing") is None
    modules = {path.stem for path in (Path(__file__).parent.parent / "cli").glob("*.py")}
    assert {module for module, _, _ in COMMANDS.values()} <= modules


def test_public_names():
    """Every public name is where the table says, and checkers of types see the same."""
    source = (Path(__file__).parent.parent / "exactdrl" / "__init__.py").read_text(encoding="utf-8")
    block = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    typed = {alias.asname: node.module for node in block.body for alias in node.names}
    assert typed == exactdrl._PLACES
    assert sorted(typed) == sorted(exactdrl.__all__)
    for name in exactdrl.__all__:
        assert getattr(exactdrl, name) is not None
        assert name in dir(exactdrl)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        exactdrl.nothing  # noqa: B018


def test_streams(tmp_path):
    """`-` is standard input and standard output: commands are joined by pipes."""
    command = [sys.executable, "-m", "exactdrl_cli"]
    made = subprocess.run(
        [*command, "sample", "-o", "-", "--widths", "1,2,1", "--samples", "5", "--bits", "6"],
        capture_output=True,
        check=True,
    )
    assert json.loads(made.stdout)["format"] == "exactdrl-instance"
    assert b"5 samples" in made.stderr
    path = tmp_path / "a.drl"
    walked = subprocess.run(
        [*command, "walk", "-", "-o", str(path)], input=made.stdout, capture_output=True, check=True
    )
    assert b"outcome" in walked.stdout
    (tmp_path / "a.json").write_bytes(made.stdout)
    assert exactdrl.verify(tmp_path / "a.json", path).status == "accepted"
    piped = subprocess.run([*command, "walk", "-", "-o", "-"], input=made.stdout, capture_output=True, check=True)
    assert piped.stdout == path.read_bytes()
    assert b"outcome" in piped.stderr
    for options in ([], ["--fast"]):
        for files, content in ((["-", str(path)], made.stdout), ([str(tmp_path / "a.json"), "-"], piped.stdout)):
            checked = subprocess.run(
                [*command, "verify", *files, *options], input=content, capture_output=True, check=True
            )
            assert checked.stdout.startswith(b"accepted: ")
    files = [str(tmp_path / "a.json"), str(path)]
    for verb, status in (("verify", "accepted"), ("rerun", "same")):
        said = subprocess.run([*command, verb, *files, "--json"], capture_output=True, check=True)
        plain = subprocess.run([*command, verb, *files], capture_output=True, check=True)
        fields = json.loads(said.stdout)
        assert (fields["status"], f"{fields['message']}\n".encode()) == (status, plain.stdout)
    both = subprocess.run([*command, "verify", "-", "-"], input=made.stdout, capture_output=True, check=False)
    assert (both.returncode, both.stderr) == (2, b"error: -: only one of the files can be standard input\n")
    resumed = subprocess.run(
        [*command, "walk", "-", "-o", "-", "--resume"], input=made.stdout, capture_output=True, check=False
    )
    assert (resumed.returncode, resumed.stderr) == (2, b"error: -: only a file can be resumed\n")
    judged = subprocess.run([*command, "judge", "-", "--json"], input=made.stdout, capture_output=True, check=True)
    assert "verdict" in json.loads(judged.stdout)
    # what is written has standard output for itself; words go to stderr
    quick = ["--lines", "1", "--jobs", "1"]
    for arguments, name, word in (
        (("judge", files[0]), "a.verdict", b"verdict  "),
        (("observe", *files, *quick), "a.claims", b"end  "),
        (("report", *files, *quick), "a.html", b"-\n"),
    ):
        written = subprocess.run([*command, *arguments, "-o", str(tmp_path / name)], capture_output=True, check=True)
        piped = subprocess.run([*command, *arguments, "-o", "-"], capture_output=True, check=True)
        assert piped.stdout == (tmp_path / name).read_bytes()
        assert word in piped.stderr
        assert written.stderr == b""


def test_names_of_losses_and_activations(tmp_path, capsys):
    """A bad one is refused in one line that says the option, the name and what is wrong; nothing is written over."""
    path = tmp_path / "a.json"
    path.write_text("keep", encoding="ascii")
    cases = [
        ("--loss", "pinball:0", "loss.level is 0; it has to lie between 0 and 1"),
        ("--loss", "pinball:1/2,3/2", "loss.level[1] is 1.5; it has to lie between 0 and 1"),
        ("--loss", "two-slope:2,1", "loss.below is 2, which is greater than loss.above, 1;"),
        ("--loss", "huber", "possible are absolute"),
        ("--activation", "0,0", "an activation's slopes are 0 and 0"),
        ("--activation", "tanh", "possible are relu"),
    ]
    for option, text, words in cases:
        code, _, err = run(capsys, "sample", "-o", path, "--force", f"{option}={text}")
        assert code == 2
        (line,) = err.splitlines()
        assert line.startswith(f"error: {option} {text}: ")
        assert words in line
    assert path.read_text(encoding="ascii") == "keep"
    several = ("--loss", "pinball:1/4,4/5", "--widths", "2,2", "--samples", "3")
    assert run(capsys, "sample", "-o", path, "--force", *several)[0] == 0
    assert json.loads(path.read_text(encoding="ascii"))["loss"]["level"] == ["0.25", "0.8"]
