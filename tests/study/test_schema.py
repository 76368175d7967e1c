"""A study file is checked as a whole: every error at once, at its key, with what to write instead."""

import json
import re
from pathlib import Path

import pytest

from varprop.model.activations import activation_names
from varprop.study import StudyError, json_schema, load_study
from varprop.study.messages import TABLES
from varprop.study.parsing import parse_study
from varprop.study.schema import ClaimTable, Document

HEAD = 'schema = 1\ntitle = "t"\nseed = 1\nnetworks = 10\n'
NETWORK = '[network]\nwidths = "6x3"\nactivation = "relu"\nweights = "he_normal"\n'
CLAIM = '[[claims]]\nid = "c"\ntest = "cumulative_mean"\ntheory = "he"\nquantity = "preactivation_second_moment"\n'


def problems(text):
    with pytest.raises(StudyError) as caught:
        parse_study(text, name="s", source="s.toml")
    return {problem.path: problem.message for problem in caught.value.problems}


def network(line):
    """The network with one line replaced or added."""
    key = line.partition(" ")[0]
    return HEAD + "".join(f"{kept}\n" for kept in NETWORK.splitlines() if not kept.startswith(f"{key} ")) + line


def claim(line):
    key = line.partition(" ")[0]
    return HEAD + NETWORK + "".join(f"{kept}\n" for kept in CLAIM.splitlines() if not kept.startswith(f"{key} ")) + line


def top(line):
    key = line.partition(" ")[0]
    return "".join(f"{kept}\n" for kept in HEAD.splitlines() if not kept.startswith(f"{key} ")) + line + "\n" + NETWORK


def grid(lines, drop=()):
    kept = [line for line in NETWORK.splitlines() if line.partition(" ")[0] not in drop]
    return HEAD + "\n".join(kept) + f"\n[grid]\n{lines}\n"


WRONG = [
    # the top of the file
    ("", "schema", "is required; write for example schema = 1"),
    (top("schema = 2"), "schema", "knows schema 1, got 2"),
    (top("schema = true"), "schema", "must be an integer, got true"),
    (top("schema = 1.0"), "schema", "must be an integer"),
    (top('title = ""'), "title", "must not be empty"),
    (top("title = 3"), "title", "must be a text in quotes, got 3"),
    (top("seed = -1"), "seed", "must be >= 0, got -1"),
    (top("seed = 1.5"), "seed", "must be an integer, got 1.5"),
    (top("seed = 0x" + "f" * 6000), "seed", "got an integer of 24000 bits"),
    (top("networks = 0"), "networks", "must be >= 1, got 0"),
    (top("networks = 1_000_000_001"), "networks", "must be <= 1000000000"),
    (top("networks = true"), "networks", "must be an integer"),
    (top('networks = "10"'), "networks", 'must be an integer, got "10"'),
    (top("alpha = 0.5"), "alpha", "must be < 0.5"),
    (top("alpha = 0"), "alpha", "must be >= 1e-100"),
    (top("alpha = nan"), "alpha", "must be a finite number, got nan"),
    (top("inputs = 0"), "inputs", "must be >= 1"),
    (top("inputs = true"), "inputs", "must be a number of random inputs, or a list of inputs"),
    (top("inputs = [[1, 2], [3]]"), "inputs[1]", "must have as many numbers as row [0], 2; got 1"),
    (top("inputs = [[1, inf]]"), "inputs[0][1]", "must be a finite number"),
    (top("inputs = [[1, 2]]"), "inputs", "has rows of 2 numbers, but there is a network with 6 inputs"),
    (top('dtype = "float16"'), "dtype", "did you mean 'float"),
    (top('method = "fast"'), "method", "write one of auto, dense"),
    (top("netwroks = 3"), "netwroks", "did you mean 'networks'?"),  # codespell:ignore
    (top('activation = "relu"'), "activation", "write it in [network] or [grid]"),
    (HEAD + NETWORK + "alpha = 0.1", "network.alpha", "belongs at the top of the file, before the first [table]"),
    ("network = 3\n" + HEAD, "network", "must be a table, got 3"),
    ("claims = 3\n" + HEAD + NETWORK, "claims", "must be a list"),
    # widths
    (network("widths = 256"), "network.widths", "must be the widths of one network"),
    (network('widths = "0x3"'), "network.widths", "between 1 and 1048576"),
    (network('widths = "256by20"'), "network.widths", "256x20"),
    (network("widths = [6]"), "network.widths", "must have at least 2 items"),
    (network("widths = [6, 0]"), "network.widths[1]", "must be >= 1, got 0"),
    (network("widths = [6, 1048577]"), "network.widths[1]", "must be <= 1048576"),
    (network("widths = { input = 6, hidden = 6 }"), "network.widths.depth", "is required when hidden is a number"),
    (network("widths = { input = 6, hidden = 6, depth = 0 }"), "network.widths.depth", "must be >= 1"),
    (
        network("widths = { input = 6, hiden = [6] }"),
        "network.widths.hiden",
        "did you mean 'hidden'?",
    ),  # codespell:ignore
    (network("widths = { input = 6, hidden = [] }"), "network.widths.hidden", "must have at least 1 items"),
    (network("widths = { input = 6, hidden = [6, 0.5] }"), "network.widths.hidden[1]", "must be an integer"),
    (network("widths = [1048576, 1048576]").replace("he_normal", "he_uniform"), "network.widths", "GiB"),
    # activations and laws
    (network('activation = "rellu"'), "network.activation", "did you mean 'relu'?"),
    (network("activation = 3"), "network.activation", "must be a name, or a table"),
    (network('activation = "elu(alpha=2)"'), "network.activation", 'write { name = "elu", alpha = 2.0 }'),
    (
        network('activation = { name = "elu", alpah = 2 }'),
        "network.activation.alpah",
        "it takes alpha",
    ),  # codespell:ignore
    (network('activation = { name = "elu", alpha = nan }'), "network.activation.alpha", "must be a finite number"),
    (network('activation = { name = "elu", alpha = true }'), "network.activation.alpha", "got true"),
    (network('activation = { name = "elu", alpha = "a" }'), "network.activation.alpha", "number"),
    (network("activation = { slope = 0.1 }"), "network.activation.name", "is required"),
    (network('activation = { name = "leaky" }'), "network.activation.name", "did you mean"),
    (network('weights = { name = "normal", std = -1 }'), "network.weights.std", "must be >= 0"),
    (network('weights = "normal"'), "network.weights", "needs 'std'"),
    (network('weights = "henormal"'), "network.weights", "did you mean 'he_normal'?"),
    (network('weights = { name = "variance_scaling", mode = "fanin" }'), "network.weights.mode", "fan_in"),
    (network('biases = "none"'), "network.biases", "there is no initializer"),
    (
        HEAD + '[network]\nwidths = "6x3"\nactivation = "relu"',
        "network.weights",
        'write for example weights = "he_normal"',
    ),
    # the grid
    (grid('activation = "tanh"', ["activation"]), "grid.activation", 'must be a list in [grid], got "tanh"'),
    (grid('activation = ["tanh"]'), "grid.activation", "is given in [network] too"),
    (grid("activation = []", ["activation"]), "grid.activation", "must have at least 1 items"),
    (grid('activation = ["tanh", "relu", "tanh"]', ["activation"]), "grid.activation[2]", "is the same as item [0]"),
    (grid('weights = ["glorot_normal", "xavier_normal"]', ["weights"]), "grid.weights[1]", "is the same as item [0]"),
    (grid("widths = [6, 6]", ["widths"]), "grid.widths[0]", "must be the widths of one network"),
    (
        grid('activation = ["relu", { name = "leaky_relu", slope = "x" }]', ["activation"]),
        "grid.activation[1].slope",
        "number",
    ),
    (
        HEAD + NETWORK + '[[grid]]\n[[grid]]\nactivations = ["relu"]',
        "grid[1].activations",
        "did you mean 'activation'?",
    ),
    (HEAD + NETWORK + '[[grid]]\n[[grid]]\nweights = ["zeros"]', "grid[1].weights", "is given in [network] too"),
    ("grid = 3\n" + HEAD + NETWORK, "grid", "must be a table [grid], or several [[grid]]"),
    # claims
    (claim('id = "a b"'), "claims[0].id", "such as he.forward"),
    (claim(CLAIM), "claims[1].id", '"c" is the id of claims[0] already'),
    (claim('test = "step_men"'), "claims[0].test", "did you mean 'step_mean'?"),
    (claim('theory = "hee"'), "claims[0].theory", "did you mean 'he'?"),
    (
        claim('quantity = "preactivation_secondmoment"'),
        "claims[0].quantity",
        "did you mean 'preactivation_second_moment'?",
    ),
    (claim('quantity = ["pivot"]'), "claims[0].quantity[0]", "does not go with test"),
    (claim('quantity = "activation_mean"'), "claims[0].quantity", "does not go with test"),
    (
        claim('theory = "xavier-variance"').replace("preactivation_second", "gradient_second"),
        "claims[0].theory",
        "'xavier-variance' says nothing of gradient_second_moment; write one of xavier, he, ",
    ),
    (claim("margin = 0"), "claims[0].margin", "must be >= 1e-09"),
    (claim("margin = inf"), "claims[0].margin", "must be a finite number"),
    (claim('expect = "suported"'), "claims[0].expect", "did you mean 'supported'?"),  # codespell:ignore
    (claim("layers = [3]"), "claims[0].layers", "must have at least 2 items"),
    (claim("layers = [3, 2]"), "claims[0].layers", "first and"),
    (claim("layers = [1, 9]"), "claims[0].layers", "asks for layer 9, but relu, he_normal has 3 weight layers"),
    (claim("below = 0.5"), "claims[0].below", "goes with tests directional, typical_directional, level only"),
    (claim('test = "level"'), "claims[0].quantity", "it takes activation_mean, "),
    (claim("bellow = 0.5"), "claims[0].bellow", "did you mean 'below'?"),  # codespell:ignore
    (claim('where = { weights = "xavier_normal" }'), "claims[0].where", "there are weights he_normal"),
    (claim('where = { weight = "he_normal" }'), "claims[0].where.weight", "did you mean 'weights'?"),
    (claim('where = { activation = ["relu", "tan"] }'), "claims[0].where.activation[1]", "did you mean 'tanh'?"),
    (claim('where = { activation = { name = "elu", beta = 1 } }'), "claims[0].where.activation.beta", "it takes alpha"),
    (
        claim('where = [{ weights = "he_normal" }, { weights = "zeros" }]'),
        "claims[0].where[1]",
        "matches none of the 1 configurations; there are weights he_normal",
    ),
    (claim("where = [{}, { weight = 3 }]"), "claims[0].where[1].weight", "did you mean 'weights'?"),
    (claim("where = { widths = 6 }"), "claims[0].where.widths", "must be widths"),
    (claim("networks = 3"), "claims[0].networks", "belongs at the top of the file"),
    (claim('"no such key" = 3'), 'claims[0]."no such key"', "is unknown"),
    # the report
    (HEAD + NETWORK + "[report]\nfigure = []", "report.figure", "did you mean 'figures'?"),
    (HEAD + NETWORK + "[report]\nfigures = [3]", "report.figures[0]", "must be a text"),
]


@pytest.mark.parametrize(("text", "path", "message"), WRONG, ids=[f"{i}:{case[1]}" for i, case in enumerate(WRONG)])
def test_an_error_stands_at_its_key_with_what_to_write(text, path, message):
    found = problems(text)
    assert path in found
    assert message in found[path]
    assert "\n" not in found[path]


def test_every_error_is_told_at_once():
    text = top("seed = -1").replace("networks = 10", "networks = 0") + "[grid]\n" + CLAIM.replace("cumulative", "cumul")
    text += 'where = { activation = "tanh" }\n' + CLAIM.replace('"c"', '"d"') + 'where = { activation = "tanh" }\n'
    # The last one is found although the top of the file is wrong: the network and the second claim are in order.
    assert set(problems(text)) == {"seed", "networks", "claims[0].test", "claims[1].where"}


def test_the_text_of_the_error_has_every_problem():
    with pytest.raises(StudyError, match=r"(?s)s\.toml: 2 problems.*seed: .*networks: "):
        parse_study(top("seed = -1").replace("networks = 10", "networks = 0"), name="s", source="s.toml")


def test_a_missing_key_is_told_once_for_many_grids():
    text = HEAD + '[network]\nwidths = "6x3"\nactivation = "relu"\n' + "[[grid]]\n" * 3
    assert list(problems(text)) == ["network.weights"]


def test_too_many_configurations_are_refused():
    widths = ", ".join(f'"{n}x2"' for n in range(1, 200))
    weights = ", ".join(f'{{ name = "normal", std = {n} }}' for n in range(1, 100))
    assert (
        "crosses to 19701 configurations"
        in problems(grid(f"widths = [{widths}]\nweights = [{weights}]", ["widths", "weights"]))["grid"]
    )


# ---- files that are no studies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"title = \xff", "not UTF-8 text"),
        (b"title = \nseed = 1\n", r"is not TOML: .*line 1, column 9"),
        (b"schema = 1\nschema = 1\n", "is not TOML: .*line 2"),
        (b"x = " + b"[" * 100_000, "nested deeper"),
        (b"x = " + b"{a=" * 100_000, "nested deeper"),
        (b"seed = " + b"9" * 5000, "is not TOML"),
        (b"# " + b"a" * (4 * 2**20), "bytes"),
        (b"", "schema"),
    ],
    ids=["latin-1", "half", "twice", "lists", "tables", "digits", "large", "empty"],
)
def test_a_file_that_is_no_study_is_one_message(tmp_path, content, message):
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=message):
        load_study(path)


def test_nested_lists_below_the_limit_are_one_message():
    assert "is unknown" in problems(HEAD + "x = " + "[" * 100 + "]" * 100 + "\n" + NETWORK)["x"]


def test_missing_files_and_folders_are_one_message(tmp_path):
    with pytest.raises(StudyError, match="no such file"):
        load_study(tmp_path / "none.toml")
    with pytest.raises(StudyError, match="this is a folder"):
        load_study(tmp_path)
    with pytest.raises(StudyError, match="not a regular file"):
        load_study("/dev/zero")
    with pytest.raises(StudyError, match="cannot be read"):
        load_study("a\0b.toml")
    with pytest.raises(StudyError, match="cannot be read"):
        load_study(tmp_path / ("a" * 300 + ".toml"))


@pytest.mark.parametrize("name", ["...toml", ".hidden.toml", "a\nb.toml"])
def test_a_name_that_cannot_become_a_folder_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_text(HEAD + NETWORK, encoding="utf-8")
    with pytest.raises(StudyError, match="becomes a folder's"):
        load_study(path)


def test_a_byte_order_mark_is_no_matter(tmp_path):
    path = tmp_path / "初始化.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + NETWORK).encode())
    assert load_study(path).name == "初始化"


# ---- the published schema ----------------------------------------------------------------------------------------


def test_the_json_schema_knows_every_key_and_name():
    schema = json_schema()
    assert schema["required"] == ["schema", "title", "seed", "networks"]
    assert set(schema["properties"]) == {field.alias or name for name, field in Document.model_fields.items()}
    claim_properties = schema["$defs"]["ClaimTable"]["properties"]
    assert set(claim_properties) == set(ClaimTable.model_fields)
    assert "cumulative_mean" in claim_properties["test"]["enum"]
    assert set(activation_names()) <= set(re.findall(r"\w+", json.dumps(schema["$defs"]["GridTable"]["properties"])))
    assert not schema["additionalProperties"]


def test_every_example_in_the_schema_is_valid():
    """The examples are what error messages tell people to write."""
    for path, table in TABLES.items():
        for name, field in table.model_fields.items():
            tables = {"network", "training", "grid", "sweep", "claims", "report", "where"}
            assert field.examples or name in tables, (path, name)


def test_the_committed_schema_is_this_versions():
    """Editors read it from beside the studies; `varprop schema > studies/schema.json` renews it."""
    committed = Path(__file__).parents[2] / "studies" / "schema.json"
    assert json.loads(committed.read_text()) == json_schema()
