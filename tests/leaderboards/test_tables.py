"""Table 3 and the rows: nothing hard-coded, nothing unsaid, nothing that a spreadsheet runs."""

import csv
import io
import json
from dataclasses import replace

import pytest
from pydantic import ValidationError
from rules_run import run

from bench.report.results import make_tables, read_results
from bench.report.tables import Grid, Named, Result, csv_text, markdown_text
from bench.runs.folder import RunFolder
from bench.scoring.intervals import Interval
from leaderboards.paper_figures import figure, paper_backbone
from leaderboards.rows import COLUMNS, Rows
from leaderboards.table3 import COLUMNS as TABLE_COLUMNS
from leaderboards.table3 import Table3

GPT_4O = Named("mine", "openai/gpt-4o-2024-08-06")
DIRECT = Named("direct", "direct")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(tmp_path_factory.mktemp("run") / "small")


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_cell_of_table_3_is_the_runs_score(folder):
    results = read_results(folder)
    rows = parsed(Table3().files(results)["table3.csv"])
    assert len(rows) == 3 * 3  # three methods, three metrics
    for row in rows:
        result = results.find(row["backbone"], row["method"], row["metric"])
        assert result is not None
        assert float(row["value"]) == pytest.approx(result.score.value, abs=1e-6)
        assert row["signature"] == result.score.signature
        assert (row["n"], row["n_missing"]) == ("8", "0")
        assert row["stand_in"] == "true"
        assert row["comparable"] == "false"


def test_the_papers_figures_are_the_papers():
    direct = {}
    for column in TABLE_COLUMNS:
        found = figure(GPT_4O, DIRECT, column.paper)
        assert found is not None
        assert (found.backbone, found.same_backbone) == ("GPT-4o", True)
        direct[column.metric] = found.value
    assert direct == {
        "accuracy": pytest.approx(0.9579),
        "bleu": 0.3320,
        "rouge-l": 0.5675,
        "cosine": 0.5757,
        "gptscore": 0.2671,
    }
    assert figure(GPT_4O, Named("direct", "synthea"), "bleu") is None
    changed = Named("direct", "direct", options="{}")
    assert figure(GPT_4O, changed, "bleu") is None
    beside = figure(Named("rules", "rules"), DIRECT, "bleu")
    assert beside is not None
    assert (beside.backbone, beside.same_backbone) == ("GPT-4o", False)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("openai/gpt-4o-2024-08-06", "GPT-4o"),
        ("openai/gpt-4o-mini", "GPT-4o-mini"),
        ("azure/gpt-3.5-turbo-1106", "GPT-3.5"),
        ("openai/gpt-4o-audio-preview", None),
        ("hf/me/gpt-4o", None),
        ("openai/doubao-pro-32k", "Doubao"),
        ("rules", None),
        ("hf/meta-llama/Llama-3.1-8B", None),
    ],
)
def test_backbones_find_their_row_of_the_paper(name, named):
    assert paper_backbone(Named("any label", name)) == named


def test_the_stand_in_is_said_everywhere_and_never_ranks(folder):
    results = read_results(folder)
    for grid in (*Table3().grids(results), *Rows().grids(results)):
        assert "stand-in" in grid.title
    assert "stand-in" in Table3().files(results)["table3.md"]
    for row in parsed(Rows().files(results)["rows.csv"]):
        assert row["stand_in"] == "true"
        assert row["ranked"] == "false"


def test_a_tie_on_accuracy_is_said(folder):
    (main, _) = Table3().grids(read_results(folder))
    assert any("tie on accuracy" in note for note in main.notes)
    assert any("by construction" in note for note in main.notes)


def test_differences_are_paired_and_signed(folder):
    results = read_results(folder)
    for backbone, difference in results.differences:
        first = results.find(backbone, difference.first, difference.metric)
        second = results.find(backbone, difference.second, difference.metric)
        assert first is not None
        assert second is not None
        assert first.score.value is not None
        assert second.score.value is not None
        assert difference.value == pytest.approx(first.score.value - second.score.value)
        assert difference.n == 8
    assert len(results.differences) == 3 * 3


def test_rows_have_the_published_columns(folder):
    rows = parsed(Rows().files(read_results(folder))["rows.csv"])
    assert list(rows[0]) == list(COLUMNS)
    accuracy = next(row for row in rows if row["metric"] == "accuracy")
    assert accuracy["judge"] == "rules"
    assert accuracy["ci_method"] == "wilson"
    bleu = next(row for row in rows if row["metric"] == "bleu")
    assert bleu["judge"] == ""
    assert "sacrebleu:" in bleu["signature"]


def test_tables_made_again_are_the_same_to_the_byte(folder):
    before = {path: path.read_bytes() for path in make_tables(folder)[1]}
    assert {path: path.read_bytes() for path in make_tables(folder)[1]} == before


def test_a_run_again_and_a_run_extended(tmp_path):
    small = run(tmp_path / "r")
    make_tables(small)
    before = (small.path / "table3.csv").read_bytes()
    again = run(tmp_path / "r")
    make_tables(again)
    assert (small.path / "table3.csv").read_bytes() == before
    assert all(role["asked"] == 0 for role in again.manifest()["roles"])
    extended = run(tmp_path / "r", cases_per_department=6)
    asked = {role["role"]: role["asked"] for role in extended.manifest()["roles"]}
    assert asked == {"generator": 4 * 5, "judge": 4 * 3}
    ids = [
        json.loads(line)["id"]
        for line in (extended.path / "records/rules/direct.jsonl").read_text().splitlines()
    ]
    assert len(ids) == 12


def test_foreign_text_is_neutralised():
    text = csv_text(("a", "b", "c"), [("=1+1", "@x", "-2"), ("-cmd", 'say "hi",\nplease', "+")])
    cells = list(csv.reader(io.StringIO(text)))[1:]
    assert cells == [["'=1+1", "'@x", "'-2"], ["'-cmd", 'say "hi",\nplease', "'+"]]
    assert csv_text(("v",), [(-0.5,), (None,), (True,), (3,)]).splitlines() == [
        "v",
        "-0.500000",
        '""',
        "true",
        "3",
    ]
    shown = markdown_text(Grid("<b>t</b>", ("a|b",), (("x|y\n<script>",),), ("n\\",)))
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "x\\|y<br>&lt;script&gt;" in shown


def test_a_minus_zero_is_a_zero(folder):
    results = read_results(folder)
    result = results.results[0]
    nothing = result.score.model_copy(
        update={"value": -1e-9, "interval": Interval(low=-1e-9, high=0.0, method="x")}
    )
    odd = Result(result.backbone, result.method, nothing, stand_in=True)
    changed = type(results)(
        **{**vars(results), "results": (odd,), "methods": (result.method,), "differences": ()}
    )
    (main, _) = Table3().grids(changed)
    assert "-0.00" not in main.rows[0][2]


def test_charts_mark_what_the_stand_in_made_in_part(folder):
    results = read_results(folder)
    made = tuple(replace(one, stand_in=one.method.name == "direct") for one in results.results)
    page = Table3().files(replace(results, results=made))["table3.html"]
    assert "partly a stand-in" in page
    assert ">*direct<" in page
    assert ">patient-zero<" in page
    assert ">direct<" in Table3().files(results)["table3.html"]


def test_two_of_one_name_are_told_apart(tmp_path):
    checked = {"name": "patient-zero", "as": "checked", "plausibility": "regenerate"}
    values = {"name": "bleu", "as": "bleu-values", "view": "values"}
    made = run(
        tmp_path / "r",
        methods=["patient-zero", checked],
        metrics=["bleu", values],
        roles={"generator": ["rules", {"name": "rules", "as": "again"}]},
    )
    results = read_results(made)
    assert [(b.label, m.label) for b, m in results.systems()] == [
        ("rules", "patient-zero"),
        ("rules", "checked"),
        ("again", "patient-zero"),
        ("again", "checked"),
    ]
    assert {row["method"] for row in parsed(Rows().files(results)["rows.csv"])} == {"patient-zero"}
    for backbone in ("rules", "again"):
        whole = results.find(backbone, "checked", "bleu")
        bare = results.find(backbone, "checked", "bleu-values")
        assert whole is not None
        assert bare is not None
        assert whole.stand_in
        assert "view:full" in whole.score.signature
        assert "view:values" in bare.score.signature
        assert whole.score.value != bare.score.value


@pytest.mark.parametrize(
    ("setting", "value"),
    [("methods", ["direct", "direct"]), ("departments", ["Urology", "Urology"])],
)
def test_one_name_twice_is_refused(tmp_path, setting, value):
    with pytest.raises(ValidationError, match="twice"):
        run(tmp_path / "r", **{setting: value})
