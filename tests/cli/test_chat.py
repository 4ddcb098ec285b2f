"""`pzbench chat`: a person is the doctor, lines piped in or typed."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import SCRIPT, Ended, inside, script
from florist import AGE, BITE, RECORD, SAYS_BITE
from openai_server import OpenAIServer, Seen
from rules_run import run as run_rules
from terminal import Terminal

from bench.agents.memory import decompose_record
from bench.cli.chat_session import Consultation
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import DialogueFile
from bench.records.record_files import RecordFile, json_line

LIBRARY = Library()
SCIATICA = ("--disease", "sciatica", "--seed", "4")
GREETING = "Good morning, what brings you in today?"
SMOKING = "Do you smoke?"


def consult(*lines: str, who: tuple[object, ...] = SCIATICA) -> Ended:
    """A conversation with the rules that ends well."""
    done = inside("chat", *who, answers=lines)
    assert done.code == 0, done
    return done


def answers(done: Ended) -> list[str]:
    said = (line.partition("Patient: ") for line in done.out.splitlines())
    return [text for before, mark, text in said if mark and not before]


def saved(path: Path) -> Dialogue:
    (dialogue,) = DialogueFile(path)
    return dialogue


def test_lines_that_are_piped_in_are_answered_in_turn():
    done = consult(GREETING, "When did it begin?")
    doctor, patient, again, more = done.out.splitlines()[-4:]
    assert doctor == f"Doctor: {GREETING}"
    assert patient.startswith("Patient: ")
    assert again == "Doctor: When did it begin?"
    assert "2 weeks" in more
    assert "stand-in" in done.out
    assert "--seed 4" in done.err


def test_it_runs_as_installed_and_the_seed_makes_it_again():
    typed = f"{GREETING}\n{SMOKING}\n".encode()
    done = script("chat", *SCIATICA, answers=typed)
    assert (done.code, done.out) == (0, consult(GREETING, SMOKING).out)
    other = inside("chat", "--disease", "sciatica", "--seed", "5", answers=[GREETING])
    assert other.out.splitlines()[0] != done.out.splitlines()[0]


def test_bytes_that_are_no_text_end_no_conversation():
    done = script("chat", *SCIATICA, answers=b"\xff\xfe \x80?\n\n   \n/\n" + b"a" * 20_000 + b"\n")
    assert done.code == 0
    assert len(answers(done)) == 2
    assert "there is no command /;" in done.out
    assert "Traceback" not in done.out + done.err


def test_a_closed_input_is_an_end():
    shell = ["sh", "-c", f"{SCRIPT} chat {' '.join(SCIATICA)} <&-"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)


def test_a_drawn_disease_is_not_told_before_the_diagnosis():
    before = consult(GREETING, "/memory", "/why", "/help", who=("--seed", "11"))
    told = consult("/diagnose gout", "/memory", who=("--seed", "11"))
    (disease,) = re.findall(r"^No: the diagnosis is (.*)\.$", told.out, re.MULTILINE)
    assert LIBRARY.find(disease) is not None
    assert f"Disease: {disease}" in told.out
    assert disease.lower() not in (before.out + before.err).lower()
    assert "hidden until /diagnose" in before.out


def test_why_tells_what_the_reply_entails():
    done = consult("/why", "How old are you?", "/why")
    assert "[nothing was said yet]" in done.out
    assert "reply 1, sent: " in done.out
    assert "  entails F3 (Age: 24)" in done.out
    assert "checked in 2 triplet calls of batched:rules@" in done.out


@pytest.mark.parametrize("form", ["json", "text", "atomic"])
def test_every_format_answers_without_update_too(form: str, tmp_path: Path):
    out = tmp_path / "d.jsonl"
    options = ("--format", form, "--updating", "none", "--style", "upset", "--out", out)
    done = consult(GREETING, SMOKING, "/why", "/memory", who=(*SCIATICA, *options))
    assert "[nothing was checked: --updating is none]" in done.out
    assert "\n+ F" not in done.out
    dialogue = saved(out)
    assert (dialogue.format, dialogue.updating, dialogue.style) == (form, "none", "upset")


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        ("sciatica", "Right: the diagnosis is Lumbar disc herniation with sciatica."),
        ("I think it's a slipped disk", "Right: the diagnosis is"),
        ("gout", "No: the diagnosis is Lumbar disc herniation with sciatica."),
        ("fracture", "[name one disease; that may be Femoral neck"),
        ("", "[say which: /diagnose NAME]"),
    ],
)
def test_a_diagnosis_is_checked(guess: str, said: str):
    done = consult(f"/diagnose {guess}")
    assert said in done.out
    assert ("Lumbar disc" in done.out) == (said[0] != "[")


def test_an_empty_last_round_is_left_out(tmp_path: Path):
    consult(GREETING, "/round", who=(*SCIATICA, "--out", tmp_path / "d.jsonl"))
    assert len(saved(tmp_path / "d.jsonl").rounds) == 1


def test_what_is_saved_is_scored(tmp_path: Path):
    lines, text = tmp_path / "d.jsonl", tmp_path / "d.txt"
    done = consult(GREETING, SMOKING, f"/save {lines}", f"/save '{text}'", f"/save {lines}")
    assert done.out.count("[wrote ") == 3
    dialogue = saved(lines)
    assert dialogue.record is not None
    assert dialogue.origin is not None
    assert dialogue.origin.doctor == "person"
    assert [one.question for one in dialogue.exchanges()] == [GREETING, SMOKING]
    assert [one.answer for one in dialogue.exchanges()] == answers(done)
    assert [one.answer for one in saved(text).exchanges()] == answers(done)
    for path in (lines, text):
        scored = inside("score", path, "--out", tmp_path / path.name.replace(".", "-"))
        assert scored.code == 0, scored
        assert "conduct/repeated-replies" in scored.out


def test_what_is_there_is_not_replaced(tmp_path: Path):
    there, folder = tmp_path / "there.jsonl", tmp_path
    there.write_text("mine")
    done = consult(f"/save {there}", GREETING, f"/save {there}", f"/save {folder}", "/save")
    assert "[nothing was said yet: there is nothing to save]" in done.out
    assert done.out.count("is there already: name another file]") == 2
    assert "[say where: /save FILE]" in done.out
    assert there.read_text() == "mine"
    assert "already" in inside("chat", *SCIATICA, "--out", there).error


@pytest.mark.parametrize(
    "place",
    [
        "~nosuchuser/d.jsonl",
        "{}/" + "x" * 300,
        "{}/" + "x" * 240,
        "{}/a\0b",
        "{}/round",
        "{}/file/d.jsonl",
    ],
)
def test_a_name_that_no_file_can_have_ends_no_conversation(place: str, tmp_path: Path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "file").write_text("x")
    name = place.format(tmp_path)
    done = consult(GREETING, f"/save {name}", SMOKING, f"/save {tmp_path}/d.jsonl")
    assert len(answers(done)) == 2
    assert len(saved(tmp_path / "d.jsonl").exchanges()) == 2


def test_what_was_said_is_kept_whatever_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Consultation, "_diagnose", stop)
    out = tmp_path / "d.jsonl"
    done = inside("chat", *SCIATICA, "--out", out, answers=[GREETING, "/diagnose gout"])
    assert done.code == 130
    assert len(saved(out).exchanges()) == 1


def test_unknown_commands_are_answered_with_the_nearest():
    done = consult("/memmory", "/quit", "never asked")
    assert "[there is no command /memmory; did you mean '/memory'?" in done.out
    assert answers(done) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two methods."""
    folder = tmp_path_factory.mktemp("chat") / "r"
    return run_rules(folder, methods=["direct", "patient-zero"], metrics=[], tables=["rows"]).path


def test_a_patient_of_a_run_is_interviewed(written: Path):
    who = ("--run", written, "--patient", "ORT-02-0001", "--method", "patient-zero")
    record = next(
        one
        for one in RecordFile(written / "items/generate/rules/patient-zero.jsonl")
        if one.id == "ORT-02-0001"
    )
    done = consult("What is your name?", who=who)
    assert record.basic_information.name in answers(done)[0]
    assert "--seed" not in done.err


def test_a_record_of_a_file_is_interviewed(written: Path, tmp_path: Path):
    several = written / "items/generate/rules/direct.jsonl"
    first, second, *_ = RecordFile(several)
    alone = tmp_path / "one.jsonl"
    alone.write_text(json_line(second))
    for who in (("--record", alone), ("--record", several, "--patient", second.id)):
        assert second.basic_information.name in consult(who=who).out
    assert "add --patient ID" in inside("chat", "--record", several).error
    assert (
        f"did you mean '{first.id}'"
        in inside("chat", "--record", several, "--patient", first.id + "x").error
    )


def test_foreign_text_does_not_reach_the_terminal_raw(tmp_path: Path):
    basic = RECORD.basic_information.model_copy(update={"name": "Ada\x1b[2J\x07 \u202eMoss"})
    path = tmp_path / "r.jsonl"
    path.write_text(json_line(RECORD.model_copy(update={"basic_information": basic})))
    done = consult(
        "What is your name?\x1b[31m", "/memory", "/why", "/\x1b[2J", who=("--record", path)
    )
    assert not {"\x1b", "\u202e"} & set(done.out + done.err)
    assert "\\x1b[2J\\x07 \\u202eMoss" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--disease", "siatica"], "did you mean 'Lumbar disc herniation with sciatica'"),
        (["--style", "upsett"], "did you mean 'upset'"),
        (["--format", "jsonl"], "did you mean 'json'"),
        (["--updating", "strictly"], "did you mean 'strict'"),
        (["--triplets", "batch"], "did you mean 'batched'"),
        (["--triplets", "nli/"], "nli/ lacks a model"),
        (["--backbone", "rule"], "did you mean 'rules'"),
        (["--backbone", "openai/"], "openai/ lacks a model"),
        (["--kb", "nowhere"], "nowhere"),
        (["--record", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["--record", "r.jsonl", "--disease", "sciatica"], "--record and --disease name different"),
        (["--patient", "ORT-02-0001"], "add --run DIR or --record FILE"),
        (["--method", "direct"], "add --run DIR"),
        (["--run", "nowhere"], "nowhere holds no run"),
        (["--out", "."], "is there already"),
    ],
)
def test_bad_input_is_one_sentence(options: list[str], said: str):
    assert said in inside("chat", *options, answers=[GREETING]).error


def test_an_unknown_patient_of_a_run_is_one_sentence(written: Path):
    def error(*options: object) -> str:
        return inside("chat", "--run", written, *options).error

    assert "did you mean 'ORT-02-0001'" in error("--patient", "ORT-02-001")
    assert "did you mean 'direct'" in error("--patient", "ORT-02-0001", "--method", "dirct")
    assert "was written by rules/direct, rules/patient-zero" in error("--patient", "ORT-02-0001")
    assert "add --patient ID" in error("--method", "direct")


# A language model: the real client over a local server.

TRUE, FALSE = "I am 50 years old.", "I am 61 years old."


class Play:
    """What the server says: the replies in turn, the last for good; labels by what they hold."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.against = {FALSE: "F3"}
        self.states = {SAYS_BITE: BITE}

    def __call__(self, seen: Seen) -> str | None:
        form = (seen.body.get("response_format") or {}).get("json_schema", {}).get("name")
        if form == "Extracted":
            facts = [fact for said, fact in self.states.items() if said in seen.words]
            return json.dumps({"facts": facts})
        if form == "Labels":
            labels = [
                {"fact": fact, "label": "contradict"}
                for said, fact in self.against.items()
                if said in seen.words
            ]
            return json.dumps({"statements": [{"statement": 1, "labels": labels}]})
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    path = tmp_path / "ada.jsonl"
    path.write_text(json_line(RECORD))
    return path


Ask = Callable[..., Ended]


@pytest.fixture
def ask(openai_server: OpenAIServer, ada: Path) -> Ask:
    """A conversation with Ada, played by the server."""

    def asked(*lines: str, options: tuple[object, ...] = ()) -> Ended:
        backbone = f"openai/words:base_url={openai_server.url},max_retries=0"
        who = ("--record", ada, "--seed", 1, "--backbone", backbone)
        done = inside("chat", *who, *options, answers=lines, OPENAI_API_KEY=KEY)
        assert done.code == 0, done
        assert KEY not in done.out + done.err
        return done

    return asked


KEY = "sk-very-secret-0123456789"


def replies_asked(server: OpenAIServer) -> list[Seen]:
    return [seen for seen in server.seen if not seen.format]


def test_a_contradiction_is_withdrawn_before_the_users_eyes(
    openai_server: OpenAIServer, ask: Ask, tmp_path: Path
):
    openai_server.hook = Play(FALSE, TRUE)
    out = tmp_path / "d.jsonl"
    done = ask("How old are you?", "/why", options=("--out", out))
    assert done.out.splitlines()[2:6] == [
        "Doctor: How old are you?",
        f"Patient: {FALSE}",
        f"[withdrawn, for it contradicts what the patient knows: {AGE}]",
        f"Patient: {TRUE}",
    ]
    assert "stand-in" not in done.out
    assert f"reply 1, withdrawn: {FALSE}\n  contradicts F3 ({AGE})\n" in done.out
    assert f"reply 2, sent: {TRUE}\n" in done.out
    first, second = replies_asked(openai_server)
    assert first.body["stream"] is True
    assert "stream" not in second.body  # the first try alone is streamed
    (exchange,) = saved(out).exchanges()
    assert [one.reply for one in exchange.attempts] == [FALSE, TRUE]
    assert exchange.answer == TRUE


def test_a_withdrawn_reply_does_not_give_the_diagnosis_away(openai_server: OpenAIServer, ask: Ask):
    play = openai_server.hook = Play(FALSE, TRUE)
    (disease,) = (one.id for one in decompose_record(RECORD) if one.field.endswith(".disease"))
    play.against = {FALSE: disease}
    done = ask("How old are you?", "/why")
    assert "withdrawn, for it contradicts" in done.out
    assert f"contradicts {disease} (hidden until /diagnose)" in done.out
    assert "radiculopathy" not in done.out


def test_a_reply_that_never_agrees_is_marked(openai_server: OpenAIServer, ask: Ask):
    openai_server.hook = Play(FALSE)
    done = ask("How old are you?", "/why", "How are you?")
    assert done.out.count(f"Patient: {FALSE}") == 4  # heard and sent, twice
    assert "[it contradicts what the patient knows, as did 5 before it; see /why]" in done.out
    assert "reply 6, sent although it contradicts memory" in done.out
    assert len(replies_asked(openai_server)) == 12


def test_what_is_learned_outlives_the_words(openai_server: OpenAIServer, ask: Ask, tmp_path: Path):
    openai_server.hook = Play(SAYS_BITE, TRUE)
    out = tmp_path / "d.jsonl"
    asked = ("/round", "Any bites?", "/memory", "/why", "/round", "How old are you?")
    done = ask(*asked, options=("--out", out))
    assert "[nothing was asked in this round yet]" in done.out
    assert f"\n+ F13  {BITE}  (learned in round 1, question 1)\n" in done.out
    assert f"learned F13: {BITE}\n  neutral to every fact\n" in done.out
    assert "checked in 2 triplet calls of batched:openai/words" in done.out
    _, second = replies_asked(openai_server)
    assert [one["role"] for one in second.body["messages"]] == ["system", "user"]
    assert BITE in second.words
    assert SAYS_BITE not in second.words
    assert [len(part.exchanges) for part in saved(out).rounds] == [1, 1]


def test_what_is_streamed_is_not_said_twice(openai_server: OpenAIServer, ask: Ask):
    openai_server.hook = Play("  It burns,\u2028doctor.\nAt night. \n")
    done = ask("What brings you here?")
    assert done.out.count("It burns") == 1
    assert "[withdrawn" not in done.out


THOUGHT = "The record says sciatica, which I must not name."


@pytest.mark.parametrize(
    "spoken",
    [
        f"<think>\n{THOUGHT}\n</think>\n\n{TRUE}",
        f"{THOUGHT}\n</think>\n\n{TRUE}",  # the chat template opened it
        f"{TRUE} <thinking>{THOUGHT}</thinking>",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{TRUE}<|return|>",
    ],
)
def test_nothing_of_the_thinking_is_shown_learned_or_said_on(
    openai_server: OpenAIServer, ask: Ask, tmp_path: Path, spoken: str
):
    openai_server.hook = Play(spoken)
    done = ask("How old are you?", "And now?", "/memory", "/save " + str(tmp_path / "d.jsonl"))
    assert answers(done) == [TRUE, TRUE]
    for shown in (done.out, done.err, (tmp_path / "d.jsonl").read_text("utf-8")):
        assert not any(part in shown for part in ("must not name", "think>", "channel|"))
    assert not any(THOUGHT in seen.words for seen in openai_server.seen)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ({"kind": "status", "status": 503, "message": "overloaded"}, "(unreachable): openai/words"),
        ({"kind": "refusal"}, "(refusal): I cannot help with that.; ask again"),
        ({"kind": "cut-stream"}, "(unreachable)"),
    ],
)
def test_a_failure_says_so_and_the_question_may_be_asked_again(
    openai_server: OpenAIServer, ask: Ask, tmp_path: Path, failure: dict[str, Any], said: str
):
    openai_server.hook = Play(TRUE)
    openai_server.fail(failure.pop("kind"), times=1, **failure)
    out = tmp_path / "d.jsonl"
    done = ask("How old are you?", "How old are you?", options=("--out", out))
    assert f"[no answer {said}" in done.out
    assert answers(done)[-1] == TRUE
    assert len(saved(out).exchanges()) == 1


def test_a_server_that_is_gone_ends_no_conversation(openai_server: OpenAIServer, ask: Ask):
    openai_server.stop()
    done = ask("How old are you?", "/memory")
    assert "[no answer: openai/words: nobody answers at" in done.out
    assert "F3   Age: 50" in done.out


def test_a_kept_journal_answers_again(openai_server: OpenAIServer, ask: Ask, tmp_path: Path):
    openai_server.hook = Play(TRUE)
    kept = ("--journal", tmp_path / "j.sqlite")
    first = ask("How old are you?", options=kept)
    total = openai_server.stats()["total"]
    assert ask("How old are you?", options=kept).out == first.out
    assert openai_server.stats()["total"] == total


def test_a_model_writes_the_patient_too(openai_server: OpenAIServer):
    backbone = f"openai/words:base_url={openai_server.url}"
    done = inside("chat", *SCIATICA, "--backbone", backbone, answers=["/memory"])
    assert done.code == 0, done
    assert "F1   Name: " in done.out
    openai_server.fail("refusal")
    assert "wrote no patient (refusal)" in inside("chat", *SCIATICA, "--backbone", backbone).error


# A terminal.


@pytest.fixture
def terminal(openai_server: OpenAIServer, ada: Path) -> Iterator[Terminal]:
    openai_server.hook = Play(TRUE)
    backbone = f"openai/words:base_url={openai_server.url},max_retries=0"
    with Terminal("chat", "--record", ada, "--backbone", backbone) as made:
        yield made


def test_in_a_terminal_no_word_is_broken(openai_server: OpenAIServer, terminal: Terminal):
    reply = f"{'Thank you for asking me about it, doctor. ' * 6}\nIt {'a' * 90} burns."
    openai_server.hook = Play(reply)
    terminal.expect("Doctor: ")
    terminal.type("What brings you here?")
    terminal.expect("burns.")
    terminal.expect("Doctor: ")
    said = terminal.seen.partition("Patient: ")[2].removesuffix("\nDoctor: ")
    assert said.split() == reply.split()
    lines = f"Patient: {said}".split("\n")
    assert all(len(line) <= 80 for line in lines if "aaa" not in line)
    assert min(len(line) for line in lines[:3]) > 70
    terminal.end()
    assert terminal.code() == 0


def test_in_a_terminal_a_reply_can_be_stopped(openai_server: OpenAIServer, terminal: Terminal):
    openai_server.fail("hang", times=1)
    terminal.expect("Doctor: ")
    terminal.type("How old are you?")
    terminal.until(lambda: openai_server.stats()["total"] == 1)
    terminal.interrupt()
    terminal.expect("[stopped; ask again, or something else]")
    terminal.expect("Doctor: ")
    terminal.type("How old are you?")
    terminal.expect(f"Patient: {TRUE}")
    terminal.expect("Doctor: ")
    terminal.interrupt()
    terminal.expect("[/quit or Ctrl-D ends]")
    terminal.expect("Doctor: ")
    terminal.end()
    assert terminal.code() == 0
    assert "Traceback" not in terminal.seen


def test_in_a_terminal_a_stopped_stream_is_silent(openai_server: OpenAIServer, terminal: Terminal):
    long = "one two three four five six seven eight nine ten eleven"
    openai_server.hook = Play(TRUE, long, TRUE)
    terminal.expect("Doctor: ")
    terminal.type("Hello?")
    terminal.expect(f"Patient: {TRUE}")  # the first reply, which is heard whole
    terminal.expect("Doctor: ")
    openai_server.pace = 0.2
    terminal.type("How old are you?")
    terminal.expect("two")
    terminal.interrupt()
    terminal.expect("[withdrawn]")
    terminal.expect("Doctor: ")
    openai_server.pace = 0
    terminal.type("And now?")
    terminal.expect(f"Patient: {TRUE}")
    terminal.expect("Doctor: ")
    terminal.type("/quit")
    assert terminal.code() == 0
    assert "eleven" not in terminal.seen
