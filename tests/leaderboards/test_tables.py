"""Table 3 and the rows: nothing hard-coded, nothing unsaid, nothing that a spreadsheet runs."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rules_run import results_of

from bench.api.choice import Choice
from bench.api.score import Interval
from bench.report.results import Result, Results, read_results
from bench.report.writer import grids_of, table_texts, write_texts
from leaderboards.paper_figures import paper_backbone, printed
from leaderboards.rows import COLUMNS, Rows
from leaderboards.table3 import Table3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "small"


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return results_of(folder)


def parsed(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Rows().files(results)["rows.csv"])))


def page(results: Results, folder: Path) -> str:
    write_texts(folder, table_texts(["table3"], results))
    return (folder / "table3.html").read_text()


def test_every_cell_of_table_3_is_the_runs_score(results: Results) -> None:
    main = Table3().grids(results)[0]
    assert main.columns[:2] == ("Backbone", "Method")
    assert len(main.rows) == 3
    assert len(main.columns) == 2 + 5  # what the paper has and the run has not is there, too
    for backbone, method, *cells in main.rows:
        for metric, cell in zip(("accuracy", "bleu", "rouge-l"), cells, strict=False):
            result = results.find(metric, backbone=backbone, method=method)
            assert result is not None
            value, interval = result.score.value, result.score.interval
            assert value is not None
            assert interval is not None
            shown = "{:.2f}" if metric == "accuracy" else "{:.4f}"
            scale = 100 if metric == "accuracy" else 1
            ours, between, paper = cell.split("\n")
            assert ours == shown.format(scale * value)
            ends = (shown.format(scale * end) for end in (interval.low, interval.high))
            assert between == f"[{', '.join(ends)}]"
            assert paper.startswith("paper: ")
            assert paper.endswith("(GPT-4o)")
        assert all(cell.startswith("not asked for\npaper: ") for cell in cells[3:])
        assert all(cell.endswith("†") for cell in cells[3:])


@pytest.mark.parametrize(
    ("table", "column", "where", "figure"),
    [
        (3, "accuracy_pct", {"backbone": "GPT-4o", "method": "Direct"}, "95.79"),
        (3, "bleu", {"backbone": "Doubao", "method": "Patient-Zero"}, "0.2131"),
        (3, "bleu", {"backbone": "GPT-5", "method": "Direct"}, None),
        (3, "meteor", {"backbone": "GPT-4o", "method": "Direct"}, None),
        (4, "plain_text", {"interaction": "cross", "memory_update": "without"}, "91.90"),
        (5, "gpt4o", {"department": "Urology"}, "77.27"),
        (5, "gpt4o", {"department": "Dermatology"}, None),
    ],
)
def test_the_papers_figures(
    table: int, column: str, where: dict[str, str], figure: str | None
) -> None:
    assert printed(table, column, **where) == figure


@pytest.mark.parametrize(
    "choice", [{"name": "synthea"}, {"name": "direct", "options": {"example": False}}]
)
def test_another_method_has_no_figure_of_the_papers(
    results: Results, choice: dict[str, object]
) -> None:
    method = {"direct": {"label": "direct", **choice}}
    manifest = {**results.manifest, "levels": {**results.manifest["levels"], "method": method}}
    (main, *_) = Table3().grids(replace(results, manifest=manifest))
    assert [any("paper" in cell for cell in row) for row in main.rows] == [False, True, True]


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
def test_backbones_find_their_row_of_the_paper(name: str, named: str | None) -> None:
    assert paper_backbone(Choice(name=name, label="any label")) == named


def asked(results: Results, **backbone: object) -> Results:
    """As if a model had been asked, not the rules."""
    found = tuple(
        replace(one, score=one.score.model_copy(update={"stand_in": False}))
        for one in results.results
    )
    levels = results.manifest["levels"] | {"backbone": {"rules": {"label": "rules", **backbone}}}
    return replace(results, results=found, manifest={**results.manifest, "levels": levels})


def test_only_the_papers_own_model_by_its_own_measure_shares_an_axis(
    results: Results, tmp_path: Path
) -> None:
    own = asked(results, name="openai/gpt-4o")
    (main, *_) = Table3().grids(own)
    assert main.rows[0][3].endswith("\npaper: 0.3320")
    assert page(own, tmp_path).count('class="paper"') == 9
    assert 'class="paper"' not in page(results, tmp_path)
    assert 'class="paper"' not in page(asked(results, name="openai/other"), tmp_path)
    levels = own.manifest["levels"]
    other = {"bleu": {"name": "bleu", "label": "bleu", "options": {"view": "values"}}}
    changed = {**levels, "metric": levels["metric"] | other}
    viewed = replace(own, manifest={**own.manifest, "levels": changed})
    (main, *_) = Table3().grids(viewed)
    assert main.rows[0][3].endswith("\npaper: 0.3320 (not comparable)")
    assert page(viewed, tmp_path).count('class="paper"') == 6


def test_the_stand_in_is_said_everywhere_and_never_ranks(results: Results, tmp_path: Path) -> None:
    for grid in (*Table3().grids(results), *Rows().grids(results)):
        assert "stand-in" in grid.title
    write_texts(tmp_path, table_texts(["table3"], results))
    assert "stand-in" in (tmp_path / "table3.md").read_text()
    for row in parsed(results):
        assert row["stand_in"] == "true"
        assert row["ranked"] == "false"


def test_differences_are_paired_and_signed(results: Results) -> None:
    differences = [one for one in results.differences if one.score.by == "all"]
    for one in differences:
        assert one.minus is not None
        found = [
            results.find(one.score.metric, one.score.part, **cell) for cell in (one.cell, one.minus)
        ]
        first, second = (side.score.value if side else None for side in found)
        assert first is not None
        assert second is not None
        assert one.score.value == pytest.approx(first - second)
        assert one.score.n == 8
    assert sum(not one.score.part for one in differences) == 3 * 3
    (_, shown) = Table3().grids(results)
    assert [row[1] for row in shown.rows] == [
        "multi-step - direct",
        "patient-zero - direct",
        "patient-zero - multi-step",
    ]
    assert shown.rows[0][2].startswith("+0 -0 of 8 = +0.00\n[")


def test_rows_have_the_published_columns(results: Results) -> None:
    rows = parsed(results)
    assert list(rows[0]) == list(COLUMNS)
    accuracy = next(row for row in rows if row["metric"] == "accuracy")
    assert accuracy["judge"] == "rules"
    assert accuracy["ci_method"] == "wilson"
    assert (accuracy["factors"], accuracy["minus"]) == ("", "")
    bleu = next(row for row in rows if row["metric"] == "bleu")
    assert bleu["judge"] == ""
    assert "sacrebleu:" in bleu["signature"]
    difference = next(row for row in rows if row["minus"])
    assert json.loads(difference["minus"]) == {"method": "direct"}
    assert (difference["method"], difference["p_value"]) == ("multi-step", "1.000000")
    assert (difference["only_first"], difference["only_second"]) == ("0", "0")
    places = {(row["by"], row["part"] == "") for row in rows}
    assert places == {("all", True), ("all", False), ("department", True)}
    named = ("method", "minus", "metric", "part", "by", "group")
    assert len({tuple(row[name] for name in named) for row in rows}) == len(rows)


def test_tables_of_what_was_kept_are_those_of_the_run(results: Results, folder: Path) -> None:
    kept = replace(results, results=tuple(read_results(folder / "results.csv")))
    tables = folder / "tables"
    before = {path.name: path.read_bytes() for path in tables.iterdir()}
    assert before.keys() == {"table3.csv", "table3.md", "table3.html", "rows.csv"}
    write_texts(tables, table_texts(["table3", "rows"], kept))
    assert {path.name: path.read_bytes() for path in tables.iterdir()} == before
    assert grids_of("table3", kept) == grids_of("table3", results)


def test_a_minus_zero_is_a_zero(results: Results) -> None:
    result = results.results[0]
    nothing = result.score.model_copy(
        update={"value": -1e-9, "interval": Interval(low=-1e-9, high=0.0, method="x")}
    )
    odd = Result(result.stage, result.cell, nothing)
    (main, *_) = Table3().grids(replace(results, results=(odd,)))
    assert "-0.00" not in main.rows[0][2]


def test_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    checked = {"name": "patient-zero", "as": "checked", "plausibility": "regenerate"}
    values = {"name": "bleu", "as": "bleu-values", "view": "values"}
    results = results_of(
        tmp_path / "r",
        methods=["patient-zero", checked],
        metrics=["bleu", values],
        roles={"generator": ["rules", {"name": "rules", "as": "again"}]},
    )
    (main, *_) = Table3().grids(results)
    assert [row[:2] for row in main.rows] == [
        ("rules", "patient-zero"),
        ("rules", "checked"),
        ("again", "patient-zero"),
        ("again", "checked"),
    ]
    rows = parsed(results)
    assert {row["method"] for row in rows} == {"patient-zero"}
    given = {row["label"]: json.loads(row["options"] or "{}") for row in rows}
    assert given["again | checked"]["method"] == {"plausibility": "regenerate"}
    for backbone in ("rules", "again"):
        whole = results.find("bleu", backbone=backbone, method="checked")
        bare = results.find("bleu-values", backbone=backbone, method="checked")
        assert whole is not None
        assert bare is not None
        assert whole.score.stand_in
        assert "view:full" in whole.score.signature
        assert "view:values" in bare.score.signature
        assert whole.score.value != bare.score.value
