"""Test questions: what is shown with them, and what becomes of every kind of answer."""

import asyncio
import json
import time
from contextlib import suppress

import pytest
from openai_server import OpenAIServer
from openai_server import Seen as Request
from wards import (
    ALPHA,
    BETA,
    REFUSAL,
    Student,
    by_memory,
    careful,
    prompts_of,
    school,
    test_question,
    ward,
    wrong,
)

from bench.api.context import Context
from bench.backbones.openai.backbone import OpenAI
from bench.backbones.prompt import AskError, Completion, Unreachable
from bench.backbones.requests import ChooseAnswer, Lesson
from bench.backbones.structured import parse
from bench.medqa.question import Question
from bench.records.record import PatientRecord
from bench.students.answer import Answered, answer, choice_of
from bench.students.experience import Experience, Limits, count_words
from bench.students.training import Training, train

LIMITS = Limits()


def answered(student: Student, question: Question, *, trained: bool = False) -> Answered:
    """The answer, zero-shot or after training on the ward."""

    async def scene() -> Answered:
        async with school(student) as context:
            known = (await taught(context)).experience if trained else Experience()
            student.prompts.clear()
            return await answer(question, "Marvels", known, LIMITS, context, "q")

    return asyncio.run(scene())


async def taught(
    context: Context, limits: Limits = LIMITS, records: list[PatientRecord] | None = None
) -> Training:
    """A training on the ward, or on records."""
    return await train(records or ward(), context, limits, seed=0, condition="")


@pytest.mark.parametrize(
    ("said", "outcome", "letter", "keys"),
    [
        ("C", "right", "C", 1),
        (" (c). ", "right", "C", 1),
        ("**Option C**", "right", "C", 1),
        ("C) Morbus Alphae", "right", "C", 1),
        ("C) Morbus Betae", "invalid", None, 3),
        ("A or C", "invalid", None, 3),
        ("A", "wrong", "A", 1),
        (REFUSAL, "refused", None, 1),
        ("E", "invalid", None, 3),
        ("", "invalid", None, 3),
        (Completion("I should say it is C, on the whole."), "invalid", None, 3),
        (Completion("**C**"), "right", "C", 1),
        (Completion('{"letter": "C"}'), "right", "C", 1),
        (Completion('{"reasons": "x"}'), "invalid", None, 3),
        (Completion('{"reasons": "x", "letter": "C"', outcome="cut"), "invalid", None, 3),
    ],
)
def test_every_answer_has_its_outcome(
    said: str | Completion, outcome: str, letter: str | None, keys: int
) -> None:
    question = test_question(ALPHA, "C")
    given = answered(Student(lambda _: said), question)
    assert (given.id, given.department) == (question.id, "Marvels")
    assert (given.outcome, given.letter, len(given.keys)) == (outcome, letter, keys)
    assert given.reason or outcome == "right"


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("C", "C"),
        ("c\n", "C"),
        ("(C)", "C"),
        ("[C]", "C"),
        ('"C"', "C"),
        ("**C**", "C"),
        ("_C_", "C"),
        ("Answer: C", "C"),
        ("**Answer:** (c).", "C"),
        ("Option C", "C"),
        ("C. Morbus Alphae", "C"),
        ("**C. Morbus alphae.**", "C"),
        ("Answer: C) Morbus Alphae", "C"),
        ("Morbus Alphae", "C"),
        ("`morbus  ALPHAE`.", "C"),
        ("E", None),
        ("A or C", None),
        ("A, C", None),
        ("C\nA", None),
        ("C. Morbus Betae", None),
        ("C. Morbus Alphae, for the spots are green", None),
        ("Morbus Alphae or Morbus Betae", None),
        ("The answer is Morbus Alphae", None),
        ("C is for cough", None),
        ("Case", None),
        ("***", None),
        ("", None),
    ],
)
def test_a_bare_option_is_an_answer_without_reasons(said: str, letter: str | None) -> None:
    question = test_question(ALPHA, "C")
    choice = choice_of(tuple(question.options.items()))
    if letter is None:
        with pytest.raises(ValueError, match=r"no JSON object|is empty"):
            parse(said, choice)
    else:
        assert vars(parse(said, choice)) == {"reasons": "", "letter": letter}
        # Half of it may be missing where the token limit ended it.
        with pytest.raises(ValueError, match=r"no end|no JSON object"):
            parse(said, choice, whole=False)
        # In an answer whose type knows no options it is no answer.
        with pytest.raises(ValueError, match="no JSON object"):
            parse(said, Lesson)


@pytest.mark.parametrize(
    ("options", "said", "letter"),
    [
        ({"A": "B", "B": "A"}, "A", "A"),
        ({"A": "fever", "B": "A fever", "C": "cough"}, "A fever", None),
        ({"A": "cough", "B": "A fever", "C": "chill"}, "A fever", "B"),
        ({"A": "> 5 mg", "B": "none"}, "< 5 mg", None),
        ({"A": "> 5 mg", "B": "none"}, "A. > 5 mg", "A"),
        ({"A": "twice", "B": "Twice."}, "twice", None),
        ({"A": "", "B": "none"}, "()", None),
    ],
)
def test_options_that_are_like_others(
    options: dict[str, str], said: str, letter: str | None
) -> None:
    choice = choice_of(tuple(options.items()))
    try:
        found = parse(said, choice).letter
    except ValueError:
        found = None
    assert found == letter


@pytest.mark.parametrize("text", ["*" * 200_000, "answer" + ":" * 200_000, "C" + ". " * 100_000])
def test_long_rubbish_is_read_in_no_time(text: str) -> None:
    choice = choice_of(tuple(test_question(ALPHA).options.items()))
    begun = time.process_time()
    for one in (text, f"{text}!?1"):
        with suppress(ValueError):
            parse(one, choice)
    assert time.process_time() - begun < 5


def test_an_unreachable_model_is_no_wrong_answer() -> None:
    def dead(task: ChooseAnswer) -> str:
        raise Unreachable("the line is dead")

    given = answered(Student(dead), test_question(ALPHA))
    assert (given.outcome, given.letter, given.reason) == ("unreachable", None, "the line is dead")
    assert given.keys == ()


def test_a_rejected_question_is_an_error_and_no_wrong_answer() -> None:
    def rejects(task: ChooseAnswer) -> str:
        raise AskError("this text is too long")

    given = answered(Student(rejects), test_question(ALPHA))
    assert (given.outcome, given.reason) == ("error", "this text is too long")


def test_a_question_is_put_in_the_same_words_whatever_its_department() -> None:
    first, second = Student(careful), Student(careful)
    question = test_question(ALPHA)
    answered(first, question)
    answered(second, question.model_copy(update={"department": ""}))
    assert prompts_of(first) == prompts_of(second)
    assert "Marvels" not in prompts_of(first)[0]


def test_nothing_asked_depends_on_the_gold_answer() -> None:
    question = test_question(ALPHA, "C")
    other = question.model_copy(update={"answer_idx": "A"})
    first, second = Student(careful), Student(careful)
    here, there = (
        answered(student, one, trained=True)
        for student, one in ((first, question), (second, other))
    )
    assert here.keys == there.keys
    assert prompts_of(first) == prompts_of(second)
    assert (here.outcome, there.outcome) == ("right", "wrong")


def test_zero_shot_shows_no_memory_and_needs_no_encoder() -> None:
    async def scene() -> Answered:
        async with school(student) as context:
            context.encoder_model = "/nowhere"
            asked = test_question(ALPHA)
            return await answer(asked, "Marvels", Experience(), LIMITS, context, "q")

    student = Student(wrong)
    assert asyncio.run(scene()).retrieved == ()
    (task,) = student.asked("answer")
    assert task.memory == ()
    assert "practice" not in prompts_of(student)[0]


def rules_and_cases(task: ChooseAnswer) -> str:
    """Learns rules at the examinations and cases at the diagnoses."""
    examining = "examinations" in task.question
    ruled = any(one.startswith("Rule") and "Beware" in one for one in task.memory)
    return careful(task) if ruled or not examining else wrong(task)


def test_every_condition_has_the_same_room() -> None:
    async def scene(limits: Limits) -> Answered:
        student = Student(rules_and_cases, lambda _: "Beware of palms and rain. " * 5)
        async with school(student) as context:
            known = (await taught(context, limits)).experience
            given = await answer(test_question(ALPHA), "", known, limits, context, "q")
            shown = student.asked("answer")[-1].memory
            assert sum(map(count_words, shown)) == given.words <= limits.budget
            # Nothing is cut: what is shown is shown whole.
            texts = {entry.id: entry.text for entry in known.entries}
            assert shown == tuple(texts[name] for name in given.retrieved)
            return given

    whole = asyncio.run(scene(LIMITS))
    kinds = [name.split()[0] for name in whole.retrieved]
    assert kinds[:2] == ["case", "rule"]
    assert kinds.count("case") == 3
    tight = asyncio.run(scene(Limits(budget=40)))
    assert 0 < tight.words <= 40 < whole.words
    few = asyncio.run(scene(Limits(k_cases=1, k_rules=0)))
    assert few.retrieved == ("case 1",)
    assert asyncio.run(scene(Limits(budget=0))).retrieved == ()


def test_equal_likeness_goes_by_the_order_learned() -> None:
    async def scene() -> tuple[str, ...]:
        twins = [ward()[0].model_copy(update={"id": f"T{at}"}) for at in range(3)]
        async with school(Student(careful)) as context:
            limits = Limits(k_cases=2)
            known = (await taught(context, limits, [*ward()[1:3], *twins])).experience
            given = await answer(test_question(ALPHA), "", known, limits, context, "q")
            return given.retrieved

    assert asyncio.run(scene()) == ("case 3", "case 4")


def test_over_the_wire_letters_are_the_questions_own(openai_server: OpenAIServer) -> None:
    tried: list[str] = []

    def hook(seen: Request) -> str | None:
        """Right at practice and by memory; a letter out of reach at the first try."""
        letters = seen.body["response_format"]["json_schema"]["schema"]["properties"]["letter"]
        tried.append("".join(letters["enum"]))
        if "not valid" not in seen.words and "34-year-old" in seen.words:
            return json.dumps({"reasons": "a slip", "letter": "F"})
        # The hook reads the words that went over the wire, and nothing else.
        system, user = (one["content"] for one in seen.body["messages"][:2])
        lines = dict(line.split(". ", 1) for line in user.splitlines() if line[1:3] == ". ")
        task = ChooseAnswer(question=user, options=lines, memory=tuple(system.splitlines()))
        return json.dumps({"reasons": "seen before", "letter": careful(task)})

    async def scene() -> tuple[Training, Answered, Answered]:
        openai_server.hook = hook
        backbone = OpenAI("words", base_url=openai_server.url)
        async with school(backbone) as context:
            training = await taught(context)
            question, known = test_question(BETA), training.experience
            zero = await answer(question, "", Experience(), LIMITS, context, "zero")
            given = await answer(question, "", known, LIMITS, context, "trained")
            await backbone.close()
            return training, zero, given

    training, zero, given = asyncio.run(scene())
    assert training.count()["right"] == 10
    assert (zero.outcome, given.outcome) == ("wrong", "right")
    assert len(given.keys) == 2
    assert "case 2" in given.retrieved
    assert set(tried) == {"ABCD"}
    assert openai_server.stats()["total"] == 10 + 2 + 2


def test_memory_names_another_patient_of_the_same_sign() -> None:
    """The ward's student is no oracle: without a case of the sign it fails."""
    task = ChooseAnswer(question=test_question(ALPHA).question, options={"A": ALPHA, "B": BETA})
    assert by_memory(task) is None
    assert by_memory(task.model_copy(update={"memory": ("Case: no sign.",)})) is None
