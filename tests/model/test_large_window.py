"""A window of 8,192 tokens and answers of at most 700: some of what a small model says is valid."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Ended, experiment
from model_run import (
    accounted,
    assert_true,
    exchanges,
    ran,
    short_outlines,
    stand_in_records,
)
from model_server import ModelServer, model_server

from bench.api.evaluation import Evaluation
from bench.medqa.sources import SAMPLE_FILE
from bench.students.answer import Answered

pytestmark = [pytest.mark.model, pytest.mark.timeout(1200)]

DEPARTMENTS = ("Ophthalmology", "Orthopedics")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server(8192, 700) as found:
        yield found


@dataclass(frozen=True)
class Judged:
    """Records of the stand-in that the model judged."""

    run: Path
    plan: Ended
    ended: Ended


@pytest.fixture(scope="module")
def judged(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Two records, by their short outlines; the plan of it before."""
    folder = tmp_path_factory.mktemp("judged")
    run = folder / "run"
    outlines = short_outlines(folder / "outlines", 1, *DEPARTMENTS)
    scored = ("score", stand_in_records(folder, *DEPARTMENTS), "-m", "accuracy")
    command = (*scored, "--judge", server.name, "--kb", outlines, "--out", run)
    return Judged(run, ran(server, *command, "--plan"), ran(server, *command))


def test_records_of_the_stand_in_are_judged(server: ModelServer, judged: Judged) -> None:
    failures = accounted(judged.run, judged.ended, server)
    (file,) = (judged.run / "evaluations/accuracy").glob("*/*.jsonl")
    found = [Evaluation.model_validate_json(line) for line in file.read_text("utf-8").splitlines()]
    assert len(found) == len(DEPARTMENTS)
    lost = {one.item for one in found if not one.values}
    assert lost == {one.item for one in failures}
    asked = exchanges(judged.run, server)
    for one in found:
        assert one.item in lost or (one.keys and set(one.keys) <= asked.keys())


def test_the_model_writes_a_record_step_by_step(server: ModelServer, tmp_path: Path) -> None:
    department = DEPARTMENTS[0]
    file = experiment(
        tmp_path / "written.yaml",
        departments=[department],
        knowledge=str(short_outlines(tmp_path / "outlines", 1, department)),
        roles={"generator": server.name, "judge": "rules"},
        cases_per_department=1,
        methods=["patient-zero"],
        metrics=["accuracy"],
    )
    run = tmp_path / "run"
    accounted(run, ran(server, "run", file, "--out", run), server)
    assert exchanges(run, server)


def test_two_exam_questions(server: ModelServer, tmp_path: Path) -> None:
    department = DEPARTMENTS[0]
    lines = SAMPLE_FILE.read_text("utf-8").splitlines()
    own = [line for line in lines if json.loads(line)["department"] == department]
    (tmp_path / "two.jsonl").write_text("\n".join(sorted(own, key=len)[:2]), "utf-8")
    file = experiment(
        tmp_path / "exam.yaml",
        departments=[department],
        roles={"generator": "rules", "student": server.name},
        cases_per_department=1,
        methods=["direct"],
        exam={"questions": str(tmp_path / "two.jsonl"), "cases": 1},
        metrics=["medqa-accuracy"],
        tables=["rows"],
    )
    run = tmp_path / "run"
    accounted(run, ran(server, "run", file, "--out", run), server)
    asked = exchanges(run, server)
    sheets = list((run / "items/exam").rglob("*.jsonl"))
    assert len(sheets) == 2  # before practice and after
    for line in (line for sheet in sheets for line in sheet.read_text("utf-8").splitlines()):
        answer = Answered.model_validate_json(line)
        assert set(answer.keys) <= asked.keys()
        if answer.letter is None:
            assert_true(answer, asked, server)


@pytest.mark.xfail(strict=True, reason="a plan takes verdicts for shorter than the model's are")
def test_a_plan_knows_how_long_verdicts_are(server: ModelServer, judged: Judged) -> None:
    told = re.search(r"and ([\d,]+) out", judged.plan.out + judged.plan.err)
    assert told is not None
    asked = exchanges(judged.run, server).values()
    spent = sum(one.completion.output_tokens or 0 for one in asked)
    assert int(told[1].replace(",", "")) == pytest.approx(spent, rel=0.1)
