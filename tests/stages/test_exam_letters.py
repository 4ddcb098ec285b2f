"""An exam that is answered by the letters' log-probabilities."""

from pathlib import Path
from typing import Any

import pytest
from counting import asked
from exam_run import MODEL, WORDED, answers, figure, sat, settings_of
from openai_server import OpenAIServer
from rules_run import small

from bench.core.errors import UserError
from bench.experiments.changes import digest_of
from bench.experiments.plan import estimate

LETTERS: dict[str, Any] = {**WORDED, "departments": ["Urology"]}


@pytest.fixture
def model(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    return openai_server


def test_letters_are_pinned_and_kept(model: OpenAIServer, tmp_path: Path) -> None:
    exam = {"curve": [], "answering": "letters"}
    folder = tmp_path / "run"
    results = sat(folder, **LETTERS, exam=exam)
    for several in answers(folder).values():
        assert {len(one.keys) for one in several} == {4}
        assert {one.letter for one in several} <= set("ABCD")
        assert all("log-probabilities" in one.reason for one in several)
    # Rules are put in words; no question is.
    chats = [seen.words for seen in model.seen if "messages" in seen.body]
    assert not any("multiple-choice" in words for words in chats)
    prompts = [seen.body["prompt"] for seen in model.seen if "prompt" in seen.body]
    assert {one[-len("Answer: A") : -1] for one in prompts} == {"Answer: "}
    for method, patients in (("zero-shot", 0), ("direct", 2)):
        assert "|answering:letters|" in figure(results, method, patients).score.signature
    assert results.manifest["stages"]["exam"]["settings"]["answering"] == "letters"
    assert asked(sat(folder, **LETTERS, exam=exam)).total() == 0
    with pytest.raises(UserError, match=r"exam\.answering is 'letters' there and 'words' now"):
        sat(folder, **LETTERS, exam={"curve": []})


def test_a_student_that_cannot_score_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rules gives no log-probabilities"):
        sat(tmp_path / "run", exam={"answering": "letters"})
    assert not (tmp_path / "run/items").exists()


def test_a_plan_counts_each_letter(tmp_path: Path) -> None:
    def planned(answering: str) -> Any:
        exam = {"answering": answering}
        costs = estimate(small(**settings_of(tmp_path, **LETTERS, exam=exam)))
        return next(cost for cost in costs if (cost.role, cost.backbone) == ("student", MODEL))

    words, letters = planned("words"), planned("letters")
    assert letters.exchanges == pytest.approx(4 * words.exchanges, rel=0.01)
    assert letters.input_tokens > 2 * words.input_tokens


def test_how_questions_are_answered_is_in_the_hash(tmp_path: Path) -> None:
    plain = settings_of(tmp_path, **LETTERS)
    named = settings_of(tmp_path, **LETTERS, exam={"answering": "words"})
    other = settings_of(tmp_path, **LETTERS, exam={"answering": "letters"})
    hashes = [digest_of(small(**one)) for one in (plain, named, other)]
    assert hashes[0] == hashes[1] != hashes[2]
