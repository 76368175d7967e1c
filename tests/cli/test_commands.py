"""Every command, good input and bad: what it prints, its exit status, and never a traceback."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import pytest
from typer.testing import CliRunner

import varprop as vp
from varprop.cli.app import app
from varprop.model.activations import activation_names
from varprop.model.initializers import initializer_names
from varprop.study import json_schema, load_run, load_study
from varprop.theory import theory_names
from varprop.verification.claims import TESTS
from varprop.verification.reasons import REASONS

pytestmark = pytest.mark.false_alarm(0)  # where a test does not say another

NETWORK = ("--widths", "6x3", "--activation", "relu", "--weights", "he_normal")


def invoke(*arguments):
    """Run a command in this process: as `varprop` does, without starting Python."""
    return CliRunner().invoke(app, list(map(str, arguments)), prog_name="varprop")


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ---- good input --------------------------------------------------------------------------------------------------


@pytest.mark.false_alarm(1e-12)
def test_a_run_in_a_process_of_its_own(varprop, study):
    first = varprop("run", study())
    assert first.returncode == 0, first.stderr
    assert "A small [bold]study" in first.stdout
    assert [line.split()[:2] for line in first.stdout.splitlines()[2:]] == [["refuted", "zero"]]
    assert "small: sampled 500 networks in " in first.stderr
    assert "networks/s" in first.stderr


def test_a_path_that_no_system_opens_is_named_by_its_ends(study, tmp_path):
    invoke("run", study())
    done = invoke("check", tmp_path / "runs" / "small", "--report", "0x" + "f" * 6000)
    assert done.exit_code == 2
    assert len(done.stderr) < 400
    assert done.stderr.startswith("varprop: 0xfff")


def test_long_answers_go_out_in_pieces_of_one_width(monkeypatch):
    """As a whole they took several times their size; the same bytes come of both."""
    asked = ("verify", *NETWORK, "--theory", "he", "--networks", "20", "--seed", "1")
    whole = [invoke(*asked, *more).stdout for more in ((), ("--json",))]
    monkeypatch.setattr("varprop.cli.show._AT_ONCE", 4)
    monkeypatch.setattr("varprop.cli.show._WORDS", 7)
    assert [invoke(*asked, *more).stdout for more in ((), ("--json",))] == whole
    assert len(whole[0].splitlines()) > 12


def test_run_again_as_json_with_a_report(study, tmp_path):
    invoke("run", study())
    again = invoke("run", study(), "--json", "--report", "pages")
    assert again.exit_code == 0, again.output
    assert "nothing to sample" in again.stderr
    (run,) = json.loads(again.stdout)
    assert (run["study"], run["path"], run["networks"], run["surprises"]) == ("small", "runs/small", 500, [])
    assert len(run["verdicts"]) == len(load_run(tmp_path / "runs" / "small").verdicts())
    assert any((tmp_path / "pages").rglob("*.html"))


def test_formats_of_a_report_are_chosen(study, tmp_path):
    path = study()
    path.write_text(path.read_text(encoding="utf-8") + "[report]\nfigures = []\n", encoding="utf-8")
    result = invoke("run", path, "--report", "paper", "--format", "latex")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "paper" / "small" / "supplement.tex").is_file()
    assert not list((tmp_path / "paper").rglob("*.html"))
    result = invoke("report", "runs/small", "--output", "both", "--format", "latex", "--format", "md")
    assert result.exit_code == 0, result.output
    found = {path.name for path in (tmp_path / "both").iterdir() if path.is_file()}
    assert found == {"README.md", "supplement.tex", "varprop-report.json"}


def test_a_pdf_without_what_makes_it_is_bad_input(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    result = invoke("run", study(), "--report", "pages", "--format", "pdf")
    assert result.exit_code == 2
    assert result.stderr == "varprop: the format 'pdf' needs WeasyPrint; install it with: pip install 'varprop[pdf]'\n"
    assert not (tmp_path / "runs").exists()  # said before anything is sampled


def test_report_writes_pages(study, tmp_path):
    assert invoke("run", study(), "--runs", "elsewhere").exit_code == 0
    result = invoke("report", "elsewhere/small", "--output", "pages")
    assert result.exit_code == 0, result.output
    assert any((tmp_path / "pages").rglob("*.html"))


@pytest.fixture
def audits(tmp_path):
    """An audit of a framework beside the pages."""
    from varprop.report.audits import COLUMNS

    row = 'framework.defaults,"He, by default.",,torch,2.13.0,nn.Linear,he,0.3334,0.332,0.335,0.05,1e-06,1000,refuted,'
    file = tmp_path / "pages" / "frameworks" / "torch" / "defaults.csv"
    file.parent.mkdir(parents=True)
    file.write_text(f"{','.join(COLUMNS)}\n{row}\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("command", ["run", "report"])
def test_audits_of_frameworks_go_into_the_ledger(study, tmp_path, audits, command):
    path = study()
    if command == "run":
        result = invoke("run", path, "--report", "pages", "--audits", "pages/frameworks")
    else:
        assert invoke("run", path).exit_code == 0
        result = invoke("report", "runs/small", "--output", "pages", "--audits", "pages/frameworks")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "pages" / "README.md").read_text(encoding="utf-8")
    assert "| framework.defaults | refuted | He, by default. |" in page
    assert "(frameworks/torch/README.md)" in page


def test_audits_that_cannot_be_read_are_told_before_anything_is_sampled(study, tmp_path, audits):
    audits.write_text("a,b\n1,2\n", encoding="utf-8")
    result = invoke("run", study(), "--report", "pages", "--audits", "pages/frameworks")
    assert result.exit_code == 2
    assert "defaults.csv: has no column claim, statement," in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.false_alarm(1e-12)
@pytest.mark.parametrize(("expect", "status"), [("refuted", 0), ("inconclusive", 0), ("supported", 1)])
def test_only_the_opposite_of_what_is_expected_fails(study, expect, status):
    result = invoke("run", study(expect=expect))
    assert result.exit_code == status
    said = [line for line in result.stderr.splitlines() if "is refuted, not" in line]
    assert len(said) == (expect != "refuted")
    assert all(("contradicted" in line) == (status == 1) for line in said)


def test_several_studies_run_in_one_call(study):
    result = invoke("run", study("one"), study("two"), "--networks", "300", "--json")
    assert [(run["study"], run["networks"]) for run in json.loads(result.stdout)] == [("one", 300), ("two", 300)]


def test_fresh_samples_again(study):
    invoke("run", study())
    assert "nothing to sample" in invoke("run", study()).stderr
    assert "sampled 500 networks" in invoke("run", study(), "--fresh").stderr


def test_predict_prints_the_theory():
    result = invoke("predict", *NETWORK, "--theory", "he", "--quantity", "preactivation_second_moment")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()[1:]]
    assert [(row[0], row[2], float(row[3])) for row in rows] == [("1", "he", 2.0), ("2", "he", 2.0), ("3", "he", 2.0)]
    found = json.loads(invoke("predict", *NETWORK, "--theory", "he", "--theory", "xavier", "--json").stdout)
    assert {row["theory"] for row in found["predictions"]} == {"he", "xavier"}
    assert found["network"] == vp.mlp([6] * 4, activation="relu", weights="he_normal").describe()


def test_verify_gives_the_library_s_verdicts():
    options = ("--theory", "he", "--networks", "300", "--seed", "5", "--margin", "0.2", "--alpha", "0.1")
    found = json.loads(invoke("verify", *NETWORK, *options, "--json").stdout)
    network = vp.mlp([6] * 4, activation="relu", weights="he_normal")
    expected = vp.verify(vp.simulate(network, n_networks=300, rng=5), theory="he", margin=0.2, alpha=0.1)
    assert found["seed"] == 5
    assert [row["verdict"] for row in found["verdicts"]] == list(expected["verdict"])
    assert [row["estimate"] for row in found["verdicts"]] == pytest.approx(list(expected["estimate"]), rel=1e-12)
    shown = invoke("verify", *NETWORK, *options)
    assert "relu, he_normal, 6x3: 300 networks, seed 5" in shown.stderr
    assert len(shown.stdout.splitlines()) == len(expected) + 1


@pytest.mark.false_alarm(1e-9)
def test_verify_says_the_seed_it_drew():
    seeds = [
        json.loads(invoke("verify", *NETWORK, "--theory", "he", "--networks", "50", "--json").stdout)["seed"]
        for _ in "ab"
    ]
    assert seeds[0] != seeds[1]


def test_names_take_parameters():
    result = invoke(
        "predict",
        "--widths",
        "6-4-2",
        "--activation",
        "leaky_relu(slope=0.1)",
        "--weights",
        "normal(std=0.5)",
        "--json",
    )
    layers = json.loads(result.stdout)["network"]["layers"]
    assert layers[0]["weights"] == {"name": "normal", "parameters": {"std": 0.5}}
    assert layers[1]["activation"] == {"name": "leaky_relu", "parameters": {"slope": 0.1}}


@pytest.mark.false_alarm(1e-7)
def test_init_writes_a_study_that_runs_and_never_writes_over(tmp_path):
    assert invoke("init").exit_code == 0
    written = load_study("study.toml")
    assert written.text.startswith("#:schema ")
    result = invoke("run", "study.toml")
    assert result.exit_code == 0, result.output
    assert "warning" not in result.stderr
    refused = invoke("init")
    assert (refused.exit_code, "there already" in refused.stderr) == (2, True)
    assert load_study("study.toml") == written
    assert invoke("init", "no/such/folder/x.toml").exit_code == 2


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("activations", activation_names()),
        ("initializers", initializer_names()),
        ("theories", theory_names()),
        ("tests", tuple(TESTS)),
        ("reasons", tuple(REASONS)),
    ],
)
def test_list_names_everything(what, names):
    assert tuple(row["name"] for row in json.loads(invoke("list", what, "--json").stdout)) == names
    assert all(name in invoke("list", what).stdout for name in names)


def test_list_tests_says_in_what_unit_a_margin_is():
    rows = {row["name"]: row["margin"] for row in json.loads(invoke("list", "tests", "--json").stdout)}
    assert (rows["step_mean"], rows["pivot_law"], rows["level"]) == ("ratio", "distance", "none")


def test_list_studies_says_what_is_wrong_with_one(study, tmp_path):
    study("good")
    (tmp_path / "bad.toml").write_text("schema = 1", encoding="utf-8")
    rows = json.loads(invoke("list", "studies", "--studies", tmp_path, "--json").stdout)
    assert [row["configurations"] for row in rows] == [None, 1]
    assert rows[1]["title"] == "A small [bold]study"
    assert json.loads(invoke("list", "studies", "--json").stdout) == []


def test_schema_is_the_library_s():
    assert json.loads(invoke("schema").stdout) == json_schema()


def test_version():
    assert invoke("--version").stdout == f"varprop {vp.__version__}\n"


def test_help_is_quick_and_loads_nothing_heavy(varprop):
    code = """
import sys
from varprop.cli import main
sys.argv = ["varprop", "run", "--help"]
try:
    main()
except SystemExit as exit:
    assert not exit.code
loaded = {"numpy", "scipy", "pandas", "pyarrow", "statsmodels", "matplotlib", "rich"} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--networks" in done.stdout


def test_a_title_cannot_garble_a_terminal(tmp_path, study):
    text = study().read_text(encoding="utf-8").replace("A small", "初始化 \\u001b[31m")
    (tmp_path / "odd.toml").write_text(text, encoding="utf-8")
    result = invoke("run", "odd.toml")
    assert result.stdout.splitlines()[0] == "初始化  [31m [bold]study"


def test_a_terminal_without_the_letters_is_no_error(varprop, tmp_path, study):
    study("good").rename(tmp_path / "gut-ü.toml")
    done = varprop("list", "studies", "--studies", ".", variables={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")


# ---- bad input ---------------------------------------------------------------------------------------------------

BAD = [
    (("run", "none.toml"), "none.toml: there is no such file"),
    (("run", "."), "this is a folder"),
    (("run",), "STUDY"),
    (("run", "small.toml", "--networks", "0"), "--networks"),
    (("run", "small.toml", "--networks", "many"), "--networks"),
    (("run", "small.toml", "--workers", "0"), "--workers"),
    (("run", "small.toml", "--executor", "dusk"), "--executor"),
    (("run", "small.toml", "--runs", "small.toml"), "cannot be written"),
    (("run", "small.toml", "--runs", "/proc/none"), "cannot be written"),
    (("run", "small.toml", "./small.toml"), "two of the files are called small"),
    (("run", "half.toml"), "half.toml: is not TOML: "),
    (("run", "small.toml", "--audits", "audits"), "write --report DIR too"),
    (("run", "small.toml", "--report", "pages", "--audits", "audits"), "audits: there is no such folder"),
    (("run", "small.toml", "--format", "latex"), "write --report DIR too"),
    (("run", "small.toml", "--report", "pages", "--format", "tex"), "unknown format 'tex'; there are 'html', "),
    (("report", "runs/none", "--format", "tex"), "unknown format 'tex'; there are 'html', "),
    (("report", "runs/none"), "this is no run's folder"),
    (("report", "small.toml"), "this is no run's folder"),
    (("predict", "--widths", "0x3", "--activation", "relu", "--weights", "he_normal"), "between 1 and"),
    (("predict", "--widths", "six", "--activation", "relu", "--weights", "he_normal"), "256x20"),
    (("predict", "--widths", "6x3", "--activation", "rellu", "--weights", "he_normal"), "did you mean 'relu'?"),
    (
        ("predict", "--widths", "6x3", "--activation", "relu", "--weights", "normal(std=-1)"),
        "weights: std must be >= 0",
    ),
    (("predict", "--widths", "6x3", "--activation", "relu", "--weights", "henormal"), "did you mean 'he_normal'?"),
    (("predict", *NETWORK, "--theory", "hee"), "did you mean"),
    (("predict", *NETWORK, "--quantity", "pivott"), "did you mean 'pivot'?"),  # codespell:ignore
    (("verify", *NETWORK, "--theory", "hee"), "did you mean"),
    (("verify", *NETWORK), "--theory"),
    (("verify", *NETWORK, "--theory", "he", "--networks", "0"), "--networks"),
    (("verify", *NETWORK, "--theory", "he", "--seed", "-1"), "--seed"),
    (("verify", *NETWORK, "--theory", "he", "--networks", "9", "--margin", "-1"), "margin"),
    (("verify", *NETWORK, "--theory", "he", "--networks", "9", "--alpha", "2"), "alpha"),
    (("list", "nothing"), "activations"),
    (("frobnicate",), "No such command"),
    (("schema", "--yaml"), "No such option"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_bad_input_is_status_2_and_a_message(study, tmp_path, arguments, message):
    study()
    (tmp_path / "half.toml").write_text("schema = ", encoding="utf-8")
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not result.stdout


def test_errors_of_all_files_are_told_before_anything_is_sampled(study, tmp_path):
    (tmp_path / "a.toml").write_text("schema = 1", encoding="utf-8")
    result = invoke("run", study(), "a.toml", "b.toml")
    assert result.exit_code == 2
    assert "a.toml: 6 problems" in result.stderr
    assert "b.toml: there is no such file" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_no_traceback_from_a_process_either(varprop):
    done = varprop("run", "none.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "varprop: none.toml: there is no such file; `varprop init` writes one to begin with\n"


def test_a_damaged_part_is_a_warning_in_one_line(study, tmp_path):
    invoke("run", study())
    part = next((tmp_path / "runs").rglob("*.parquet"))
    part.write_bytes(b"")
    result = invoke("run", study())
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert line.startswith("varprop: warning: runs/small/samples/")


def test_a_full_disk_is_status_3(study, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = invoke("run", study())
    assert result.exit_code == 3
    assert "the disk is full" in result.stderr


def test_a_reader_that_leaves_early_is_no_error(varprop):
    done = subprocess.run(
        f"{sys.executable} -m varprop.cli schema | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert not done.stderr


# ---- stopped early -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize(
    ("stop", "executor"),
    [
        (signal.SIGINT, "serial"),
        (signal.SIGTERM, "serial"),
        pytest.param(getattr(signal, "SIGHUP", None), "processes", id="hangup-processes"),
    ],
)
def test_a_signal_stops_with_the_command_that_resumes(study, tmp_path, stop, executor):
    path = study(networks=400_000)
    # A shell's background jobs, and all that they start, ignore Ctrl-C; this one must not.
    start = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start += "runpy.run_module('varprop.cli', run_name='__main__', alter_sys=True)"
    arguments = ["run", path.name, "--executor", executor, "--fresh", "--workers", "2"]
    command = [sys.executable, "-c", start, *arguments]
    # A group of its own: a terminal's Ctrl-C reaches the workers too, and so does its end.
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while len(list((tmp_path / "runs").rglob("part-*.parquet"))) < 2:
        time.sleep(0.01)
        assert process.poll() is None
    if stop == signal.SIGTERM:
        process.send_signal(stop)
    else:
        os.killpg(process.pid, stop)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3, err
    assert not out
    assert "Traceback" not in err
    assert err.splitlines()[-1].strip() == f"varprop run small.toml --executor {executor} --workers 2"
    assert not list(tmp_path.rglob("*.tmp"))


def test_stopping_other_commands_is_status_3_too(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("varprop.engine.simulate.sampled_in_little_memory", interrupted)
    result = invoke("verify", *NETWORK, "--theory", "he")
    assert (result.exit_code, result.stderr) == (3, "varprop: stopped\n")


def test_the_template_names_only_what_exists():
    from importlib import resources

    template = tomllib.loads(resources.files("varprop.study").joinpath("template.toml").read_text(encoding="utf-8"))
    assert set(template) <= set(json_schema()["properties"])
