"""Questions answered by the letters' log-probabilities, as lm-evaluation-harness does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wards import ALPHA, Student, careful, school, test_question, ward

from bench.backbones.prompt import AskError, Unreachable
from bench.core.errors import UserError
from bench.medqa.sources import load_questions
from bench.students.answer import Answered, Answering, answer, as_text, choose
from bench.students.experience import Experience, Limits
from bench.students.training import train

QUESTION = "A man has a cough. Which is it?"
OPTIONS = {"A": "Asthma", "B": "Gout", "C": "A cold"}


class Foretelling(Student):
    """Gives what a function says of a context and a continuation, and reflects in words."""

    def __init__(self, foretell: Callable[[str, str], Any]) -> None:
        super().__init__(careful)
        self.scored: list[tuple[str, str]] = []
        self._foretell = foretell

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        await asyncio.sleep(0)
        self.scored.append((context, text))
        values = self._foretell(context, text)
        if isinstance(values, Exception):
            raise values
        return tuple(values)


def answered(student: Any, answering: Answering = "letters") -> Answered:
    async def scene() -> Answered:
        async with school(student) as context:
            question = test_question(ALPHA, "C")
            given = await answer(question, "", Experience(), Limits(), context, "q", answering)
            assert all(context.journal.get(key) for key in given.keys)
            return given

    return asyncio.run(scene())


def test_the_text_is_that_of_the_harness_with_memory_before_it() -> None:
    plain = "Question: A man has a cough. Which is it?\nA. Asthma\nB. Gout\nC. A cold\nAnswer:"
    assert as_text(QUESTION, OPTIONS, ()) == plain
    assert (
        as_text(QUESTION, OPTIONS, ("Case: a.", "Rule: b.")) == f"Case: a.\n\nRule: b.\n\n{plain}"
    )


def test_the_letter_of_the_highest_sum_is_chosen_with_its_reasons() -> None:
    values = {" A": [-1.0, -1.0], " B": [-0.5, -2.0], " C": [-1.75], " D": [-9.0]}
    student = Foretelling(lambda _, text: values[text])
    given = answered(student)
    assert (given.outcome, given.letter, len(given.keys)) == ("right", "C", 4)
    assert given.reason.endswith("A -2.0000, B -2.5000, C -1.7500, D -9.0000")
    assert student.prompts == []
    assert {context for context, _ in student.scored} == {
        as_text(test_question(ALPHA).question, test_question(ALPHA, "C").options, ())
    }


def test_of_equals_the_first_is_chosen() -> None:
    assert answered(Foretelling(lambda _, text: [-1.0 - (text == " A")])).letter == "B"


@pytest.mark.parametrize(
    ("fault", "outcome", "keys"),
    [
        (AskError("too long"), "error", 3),
        (Unreachable("the line is dead"), "unreachable", 3),
        ((), "error", 4),
    ],
)
def test_a_letter_that_cannot_be_scored_leaves_the_question_unanswered(
    fault: Any, outcome: str, keys: int
) -> None:
    student = Foretelling(lambda _, text: fault if text == " A" else [-1.0])
    given = answered(student)
    assert (given.outcome, given.letter, len(given.keys)) == (outcome, None, keys)


def test_a_student_that_cannot_score_ends_the_run() -> None:
    with pytest.raises(UserError, match=r"student gives no log-probabilities.*--student hf/MODEL"):
        answered(Student(careful))
    assert answered(Student(careful), "words").letter


def test_practice_is_answered_by_letters_and_reflected_on_in_words() -> None:
    async def scene() -> None:
        student = Foretelling(lambda _, text: [-1.0 - (text != " B")])
        async with school(student) as context:
            asked: dict[str, Any] = {"seed": 0, "condition": "", "answering": "letters"}
            training = await train(ward(), context, Limits(), **asked)
        counts = training.count()
        assert counts["right"] and counts["wrong"]
        assert student.asked("answer") == []
        # A rule is tried twice if the first try is right; each try scores every letter.
        assert len(student.asked("reflect")) == counts["wrong"]
        tries = len(student.scored) / 4
        assert counts["practice questions"] + counts["wrong"] <= tries
        assert tries <= counts["practice questions"] + 2 * counts["wrong"]
        # What was learned is shown before the question.
        assert any(text.startswith(("Case:", "Rule:")) for text, _ in student.scored)

    asyncio.run(scene())


def test_sums_agree_with_an_independent_computation(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tiny_causal import saved_bytes

    from bench.backbones.local.transformers import Transformers

    folder = saved_bytes(tmp_path / "tiny")
    given = answered(Transformers(str(folder), device="cpu"))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    question = test_question(ALPHA, "C")
    listed = "\n".join(f"{letter}. {text}" for letter, text in question.options.items())
    before = f"Question: {question.question}\n{listed}\nAnswer:"
    sums = {}
    for letter in question.options:
        whole = tokenizer(f"{before} {letter}", return_tensors="pt").input_ids
        labels = whole.clone()
        labels[:, : len(tokenizer(before).input_ids)] = -100
        counted = (labels != -100).sum().item()
        assert counted == 2  # the space and the letter
        with torch.no_grad():
            sums[letter] = -model(whole, labels=labels).loss.item() * counted
    told = dict(one.split() for one in given.reason.partition(": ")[2].split(", "))
    assert {letter: float(value) for letter, value in told.items()} == pytest.approx(sums, abs=2e-4)
    assert given.letter == max(sums, key=lambda letter: sums[letter])


@pytest.mark.model
@pytest.mark.parametrize("answering", ["words", "letters"])
def test_smollm2_answers_exam_questions(answering: Answering) -> None:
    pytest.importorskip("torch")
    from bench.backbones.local.transformers import Transformers

    async def scene() -> None:
        async with school(Transformers("smollm2", device="cpu", dtype="float32")) as context:
            student = context.role("student")
            for one in load_questions("sample").questions[:2]:
                asked = (one.question, one.options, (), one.id)
                chosen = await choose(student, *asked, answering)
                assert chosen.value.letter in one.options
                # No repair: the first answer is valid; or one exchange for each letter.
                assert len(chosen.keys) == (1 if answering == "words" else len(one.options))

    asyncio.run(scene())
