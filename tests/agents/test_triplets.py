import asyncio
import json
import shutil
from pathlib import Path

import florist
import pytest
from florist import AGE, FEVER, WORK
from rules_run import context
from scripted import Scripted

from bench.agents.triplets import Labelling, make_engine
from bench.api.context import Context
from bench.backbones import nli
from bench.core.errors import UserError
from bench.records.dialogue import Fact

FACTS = tuple(Fact(id=f"F{n}", text=text) for n, text in enumerate((AGE, FEVER, WORK), start=1))
SAID = ("I am 50 years old. I never have fever at night.", "I do not know.")


def labelled(text: str, given: Context, said: tuple[str, ...] = SAID) -> Labelling:
    return asyncio.run(make_engine(text, given).label(said, FACTS, "Well?", "P/r1/t1/try0"))


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("bached", "did you mean 'batched'"),
        ("perfact", "did you mean 'per-fact'"),
        ("gpt-4o", "there are: batched, nli/MODEL, per-fact"),
    ],
)
def test_an_unknown_engine_names_the_nearest(text: str, near: str) -> None:
    with context() as given, pytest.raises(UserError, match=near):
        make_engine(text, given)


def test_an_engine_without_anybody_to_label_says_so() -> None:
    with context() as given, pytest.raises(UserError, match="role 'triplets'"):
        make_engine("batched", given)


@pytest.mark.parametrize(("text", "calls"), [("batched", 1), ("per-fact", 3)])
def test_statements_are_labelled_against_all_facts(text: str, calls: int) -> None:
    labeller = florist.labeller()
    with context(triplets=labeller) as given:
        assert make_engine(text, given).name == f"{text}:labeller"
        found = labelled(text, given)
    assert found.labels == ({"F1": "entail", "F2": "contradict"}, {})
    assert found.calls == calls == len(found.keys) == len(set(found.keys))
    assert {task.question for task in labeller.asked("label")} == {"Well?"}
    assert sorted(fact for task in labeller.asked("label") for fact in task.facts) == [
        "F1",
        "F2",
        "F3",
    ]


@pytest.mark.parametrize("text", ["batched", "per-fact"])
def test_nothing_to_label_asks_nothing(text: str) -> None:
    with context(triplets=Scripted("labeller")) as given:
        assert labelled(text, given, ()) == Labelling((), 0, ())


def test_the_prompt_numbers_statements_and_names_facts() -> None:
    labeller = florist.labeller()
    with context(triplets=labeller) as given:
        labelled("batched", given)
    words = labeller.prompts[0].messages[1].content
    assert "\nF2: Symptom: fever at night\n" in words
    assert f"\n1: {SAID[0]}\n2: {SAID[1]}\n" in words


# A local cross-encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sentence_transformers")
    made = tmp_path_factory.mktemp("models") / "tiny"
    florist.tiny_cross_encoder(made, ("ENTAILMENT", "neutral", "contradiction"))
    return made


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_cross_encoder_labels_by_sentences_in_the_order_of_its_configuration(
    folder: Path,
) -> None:
    with context() as given:
        found = labelled(f"nli/{folder}", given)
        engine = make_engine(f"nli/{folder}", given)
        both = asyncio.run(engine.label(("I am 50 years old. I am 61 years old.",), FACTS, "", "x"))
    assert engine.name.startswith("nli/tiny@")
    assert found.labels == ({"F1": "entail", "F2": "contradict"}, {})
    assert found.calls == 9
    assert len(found.keys) == 3
    assert both.labels == ({"F1": "contradict"},)


def test_what_it_computed_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with context() as given:
        first = labelled(f"nli/{folder}", given)
        rows = len(given.journal)
        monkeypatch.setattr(nli, "_loaded", lambda *_: pytest.fail("computed again"))
        assert labelled(f"nli/{folder}", given) == first
        assert len(given.journal) == rows == 3


@pytest.mark.parametrize(
    "names", [None, {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, {"0": "entailment"}]
)
def test_a_model_whose_labels_have_no_names_is_refused(
    copy: Path, names: dict[str, str] | None
) -> None:
    settings = json.loads((copy / "config.json").read_text())
    settings["id2label"] = names
    (copy / "config.json").write_text(json.dumps(settings))
    with context() as given, pytest.raises(UserError, match="id2label in its config"):
        make_engine(f"nli/{copy}", given)


@pytest.mark.parametrize("text", ["nli/", "nli/no/such/model"])
def test_a_model_that_is_not_there_is_the_users_error(text: str) -> None:
    with context() as given, pytest.raises(UserError, match="nli/"):
        make_engine(text, given)


def test_a_missing_package_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.backbones.weights.find_spec", lambda name: None)
    with context() as given, pytest.raises(UserError, match=r"patient-zero-bench\[neural\]"):
        make_engine(f"nli/{folder}", given)
