"""`pzbench score` on records and dialogues made elsewhere, and the schema that they follow."""

import json
from pathlib import Path

import pytest
from commands import KEY, inside, script
from made_dialogues import dialogue as talk
from openai_server import OpenAIServer, Seen
from patients import patient

from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import write_dialogues
from bench.records.record_files import write_records
from bench.report.pivot import measure_of
from bench.report.results import Result, read_results

TRANSCRIPT = """=== P1
Style: reserved
Doctor: How old are you?
Patient: Fifty. *sighs* It was long ago. Nobody asks. I am fifty.
---
Doctor: How old are you, please?
Patient: Sixty-two.
Doctor: Goodbye.

=== P2
Style: plain
Doctor: How old are you?
Patient: Fifty.
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go below a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "visits.txt"
    path.write_text(TRANSCRIPT)
    return path


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    write_records(path, [patient(name, "Urology", "pain") for name in ("P1", "P2", "P3")])
    return path


def scores(group: str = "all") -> dict[str, Result]:
    """The scores of a group of the only run, by metric and part."""
    (path,) = Path("runs").glob("*/results.csv")
    every = (one for one in read_results(path) if one.minus is None)
    return {measure_of(one.score): one for one in every if one.score.group == group}


def item_values(metric: str, part: str = "") -> dict[str, list[float]]:
    """The values of the items of the only run, by the evaluations that it keeps."""
    (path,) = (one for one in Path("runs").glob(f"*/evaluations/{metric}/**/*") if one.is_file())
    lines = map(json.loads, path.read_text().splitlines())
    return {line["item"]: line["values"][part] for line in lines if part in line["values"]}


def by_words(seen: Seen) -> str:
    if "rate conversations" in seen.words:
        return json.dumps({"reasons": "read", "score": 3 if "sighs" in seen.words else 6})
    wrong = "(statement 1):\n\nSixty-two." in seen.words and "F3: Age: 50" in seen.words
    labels = [{"fact": "F3", "label": "contradict"}] if wrong else []
    return json.dumps({"reasons": "read", "statements": [{"statement": 1, "labels": labels}]})


def test_a_transcript_is_scored_as_it_stands(transcript: Path, tmp_path: Path) -> None:
    ended = script("score", transcript)
    assert ended.code == 0, ended
    found = scores()
    assert {name.partition("/")[0] for name in found} == {"conduct"}
    assert item_values("conduct", "over-cap") == {"P1": [1, 0], "P2": [0]}
    assert found["conduct/stage-directions"].score.value == pytest.approx(1 / 3)
    assert found["conduct/leaked-diagnosis"].score.value is None
    assert "2 dialogues left out: no record to compare with (add --records FILE)" in ended.out
    assert ended.out.count("\n  conduct: ") == 1
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["runs", "visits.txt"]
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("score-visits-")


@pytest.mark.parametrize("option", ["", "--records", "--out", "--journal"])
def test_a_name_that_no_file_can_have_is_one_sentence(
    option: str, transcript: Path, tmp_path: Path
) -> None:
    given = [transcript, option] if option else []
    found = inside("score", *given, tmp_path / ("x" * 300)).error
    assert "File name too long" in found or "cannot be opened" in found


def test_judge_and_rater_are_asked_once_and_kept(
    transcript: Path, records: Path, tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.hook = by_words
    roles = ("--judge", "openai/judge-1", "--rater", "openai/rater-1")
    asked = ("score", transcript, *roles, "--records", records)
    where = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": KEY}
    ended = inside(*asked, **where)
    assert ended.code == 0, ended
    assert "records for 2 of 2 dialogues" in ended.out
    found = scores()
    consistency = found["dialogue-consistency"]
    assert item_values("dialogue-consistency") == {"P1": [1, 0], "P2": [1]}
    assert consistency.score.value == pytest.approx(2 / 3)
    assert consistency.score.n == 3
    assert consistency.cell["judge"] == "openai/judge-1"
    assert scores("Urology")["dialogue-consistency"].score.value == pytest.approx(2 / 3)
    for name in ("emotional-consistency", "fluency"):
        assert item_values(name) == {"P1": [3], "P2": [6]}
        assert found[name].score.value == 4.5
    assert found["conduct/leaked-diagnosis"].score.n == 2
    total = openai_server.stats()["total"]
    assert total == 3 + 2 + 2
    assert inside(*asked, **where).code == 0
    assert openai_server.stats()["total"] == total
    assert scores() == found


def test_a_refusal_ends_with_three_and_shows(
    transcript: Path, records: Path, tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.hook = by_words
    openai_server.fail("refusal", when=lambda seen: "(statement 1):\n\nSixty" in seen.words)
    ended = inside(
        "score",
        transcript,
        *("--judge", "openai/judge-1", "--records", records, "-m", "dialogue-consistency"),
        OPENAI_BASE_URL=openai_server.url,
        OPENAI_API_KEY=KEY,
    )
    assert ended.code == 3, ended
    assert "1 items failed (1 dialogue-consistency: 1 refusal)" in ended.err
    assert "first: P1/r2/t1, dialogue-consistency: " in ended.err


def test_json_lines_with_their_own_records_are_scored_by_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    told = [
        talk(
            name,
            [("How old are you?", f"I am {age} years old.")],
            record=patient(name, "Urology", "fever"),
        )
        for name, age in (("a", 50), ("b", 50), ("c", 71))
    ]
    write_dialogues(path, told)
    ended = inside("score", path, "--judge", "rules", "--rater", "rules")
    assert ended.code == 0, ended
    assert item_values("dialogue-consistency") == {"a": [1], "b": [1], "c": [0]}
    assert {"fluency", "emotional-consistency"} <= set(scores())


def test_a_file_scored_again_extends_its_run(records: Path) -> None:
    assert inside("score", records, "-m", "bleu", "-m", "rouge-l").code == 0
    judges = ("--judge", "rules", "--judge", "rules:as=second")
    asked = ("-m", "accuracy", "-m", "bleu:view=values,as=bare", *judges)
    ended = inside("score", records, *asked)
    assert ended.code == 3  # angina has no outline
    assert {"accuracy", "bare", "bleu", "rouge-l", "second"} <= set(ended.out.split())
    (run,) = Path("runs").iterdir()
    listed = inside("list", "runs").out
    assert (f"{run}  records  rules  done\n") == listed
    kept = {(one.score.metric, one.get("judge")) for one in read_results(run / "results.csv")}
    assert kept == {
        ("accuracy", "rules"), ("accuracy", "second"),
        ("bleu", ""), ("rouge-l", ""), ("bare", ""),
    }  # fmt: skip
    assert inside("run", run).code == 3


def test_what_cannot_be_scored_does_not_stay_in_the_run(records: Path) -> None:
    assert inside("score", records, "-m", "bleu").code == 0
    gone = f"evaluate:path={records.parent / 'gone'},better=lower"
    assert "evaluate" in inside("score", records, "-m", gone).error
    assert inside("score", records, "-m", "bleu").code == 0
    refused = inside("score", records, "-m", "rouge-l:view=values,as=bleu").error
    assert "holds another experiment: metrics is bleu there" in refused
    assert inside("score", records, "-m", "bleu").code == 0


def test_a_metric_and_its_file_must_fit(transcript: Path, records: Path) -> None:
    said = inside("score", transcript, "-m", "bleu").error
    assert "'bleu' scores records" in said
    assert "has only dialogues" in said
    said = inside("score", records, "--records", records).error
    assert said == f"{records} holds records: --records goes with dialogues"


def test_records_are_scored_by_the_metrics_of_records_alone(records: Path) -> None:
    assert inside("score", records, "--rater", "rules", "-m", "bleu", "-m", "rouge-l").code == 0
    assert set(scores()) == {"bleu", "rouge-l"}
    ended = inside("score", records, "--judge", "rules", "--rater", "rules")
    assert ended.code == 3  # angina has no outline: accuracy is missing
    assert not any(name.startswith(("conduct", "fluency", "dial")) for name in scores())


def test_dialogues_at_fault_are_named(tmp_path: Path, records: Path) -> None:
    path = tmp_path / "talks.jsonl"
    good = talk("a", [("q", "r")]).model_dump_json(exclude_none=True)
    bad = json.loads(good) | {"id": "b", "style": 3}
    path.write_text(f"{good}\n{json.dumps(bad)}\n")
    assert inside("score", path).error.startswith(
        f"{path}, line 2: field manner.style: Input should be"
    )
    path.write_text(f"{good}\n")
    said = inside("score", path, "--records", records).error
    assert said == f"{records} holds no record with the id of a dialogue that lacks one"
    assert "--judge" in inside("score", path, "-m", "dialogue-consistency").error
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert inside("score", empty).error == f"{empty} holds no dialogues"
    assert not Path("runs").exists()


FRIENDLY = """
class Friendly:
    card = {
        "name": "friendly", "summary": "Asks whom we do not know.", "unit": "share",
        "better": "higher", "needs": ["neighbour"],
    }

    async def evaluate(self, item, context):
        return context.role("neighbour").stand_in
"""


def test_a_role_of_a_foreign_metric_can_be_filled(records: Path, tmp_path: Path) -> None:
    (tmp_path / "friendly.py").write_text(FRIENDLY)
    package = tmp_path / "friendly-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: friendly\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[pzbench.metrics]\nfriendly = friendly:Friendly\n")
    ended = script("score", records, "--neighbour", "rules", PYTHONPATH=str(tmp_path))
    assert ended.code == 0, ended
    assert scores()["friendly"].score.value == 1
    misspelt = script("score", records, "--nieghbour", "rules", PYTHONPATH=str(tmp_path))
    assert (misspelt.code, "--neighbour" in misspelt.err) == (2, True)
    assert "--neighbour" in script("score", "--help", PYTHONPATH=str(tmp_path)).out


def test_the_schema_of_a_dialogue_is_printed() -> None:
    ended = inside("schema", "--dialogues")
    assert ended.code == 0
    assert json.loads(ended.out) == Dialogue.model_json_schema()
    assert "disease_information" in json.loads(inside("schema").out)["properties"]
