"""`pzbench chat`: a person is the doctor."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from bench.cli.options import Drafts, Knowledge, SameModel, with_options

if TYPE_CHECKING:
    import asyncio

    from bench.agents.interview import Setting
    from bench.backbones.respondent import Respondent
    from bench.knowledge.cases import Case
    from bench.knowledge.library import Library
    from bench.records.dialogue import Updating
    from bench.records.record import PatientRecord

SEEDS = 1_000_000
"""Seeds to draw from where none is given."""
OTHERS = ("generator", "triplets")
"""Roles beside the patient's, filled by the same backbone."""


@dataclass(frozen=True)
class ChatOptions:
    """Who the patient is, and how it answers."""

    patient: str | None = typer.Option(None, "--patient", help="Id of a patient in --run.")
    run: Path | None = typer.Option(None, "--run", help="Run folder that holds the patient.")
    method: str | None = typer.Option(
        None, "--method", help="Whose patient, where several generators wrote it."
    )
    record: Path | None = typer.Option(
        None, "--record", help="File of a record; with --patient, of several."
    )
    disease: str | None = typer.Option(
        None, "--disease", help="Write a patient with this disease; one drawn by the seed if none."
    )
    style: str = typer.Option("plain", "--style", help="How the patient talks.")
    form: str = typer.Option(
        "atomic", "--format", help="How the record is held: json, text, atomic, or a plug-in's."
    )
    backbone: str = typer.Option(
        "rules", "--backbone", "-b", help="Who writes the patient, answers and checks."
    )
    triplets: str = typer.Option(
        "batched", "--triplets", help="What checks: batched, per-fact, nli/PATH."
    )
    updating: str = typer.Option(
        "strict", "--updating", help="What memory takes: none, strict, algorithm."
    )
    kb: list[Path] | None = Knowledge
    drafts: bool = Drafts
    seed: int | None = typer.Option(
        None, "--seed", help="Seed of the patient that is written; drawn if none."
    )
    journal: Path | None = typer.Option(
        None, "--journal", help="Journal to keep answers in; none is kept if none."
    )
    same_model: bool = SameModel
    out: Path | None = typer.Option(None, "--out", help="Save the dialogue here at the end.")


@with_options(ChatOptions)
def chat(*, options: ChatOptions) -> None:
    """Interview a patient: you are the doctor. Inside, /help lists the commands."""
    import asyncio
    import secrets

    from bench.agents.interview import Setting
    from bench.cli.find_patient import find_patient, plan_patient
    from bench.knowledge.library import Library

    if sys.stdin is not None and sys.stdin.isatty():
        # A person sits there, whatever the shell that started us wants to be ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = secrets.randbelow(SEEDS) if options.seed is None else options.seed
    setting = Setting(
        manner={"style": options.style},
        format=options.form,
        updating=cast("Updating", options.updating),
        triplets=options.triplets,
        replicate=f"chat/{seed}",
    )
    library = Library(*(options.kb or ()), drafts=options.drafts)
    _check_out(options.out)
    chosen = find_patient(options)
    if chosen is None:
        typer.echo(f"writing a patient; --seed {seed} gives the same one again", err=True)
    who = chosen or plan_patient(library, options.disease, seed)
    with asyncio.Runner() as runner:
        _consult(runner, who, setting, library, options)


def _consult(
    runner: "asyncio.Runner",
    who: "PatientRecord | Case",
    setting: "Setting",
    library: "Library",
    options: ChatOptions,
) -> None:
    """Engage everybody, write the patient if there is none, and hold the dialogue."""
    from bench.agents.triplets import make_engine
    from bench.api.choice import parse_choice
    from bench.api.context import Context
    from bench.cli.chat_session import Consultation
    from bench.cli.find_patient import write_patient
    from bench.cli.screen import warn
    from bench.cli.voice import Aloud
    from bench.journal.journal import Journal
    from bench.knowledge.cases import Case
    from bench.runs.roles import Team
    from bench.runs.settings import Settings

    choice = parse_choice(options.backbone)
    journal = Journal.open(options.journal)
    # What was refused in an earlier conversation is asked again: a person asks.
    settings = Settings(retry_failed=True, same_model=options.same_model)
    team = Team(journal, library, settings)
    try:
        patient = team.engage("patient", choice, Aloud)
        assert isinstance(patient, Aloud)
        roles = {role: team.engage(role, choice) for role in OTHERS}
        context = Context(journal, library, {"patient": patient, **roles})
        # Before a patient is written, which may cost something.
        engine = None if setting.updating == "none" else make_engine(setting.triplets, context)
        record = runner.run(write_patient(who, context)) if isinstance(who, Case) else who
        _introduce(record, setting, patient)
        consultation = Consultation(record, setting, patient, engine, library)
        try:
            consultation.hold(runner)
        finally:  # whatever ended it, what was said is kept
            if options.out is not None:
                consultation.save(options.out)
    finally:
        runner.run(journal.close())
        runner.run(team.close())
        warn(note for _, one in team.engaged for note in one.notes)


def _introduce(record: "PatientRecord", setting: "Setting", patient: "Respondent") -> None:
    """Say who sits there, and who plays."""
    from bench.cli.screen import say
    from bench.cli.voice import note

    basic = record.basic_information
    where = f", {record.department}" if record.department else ""
    say(
        f"{basic.name}, {basic.age}, {basic.gender}{where}. Style {setting.manner['style']}, "
        f"memory as {setting.format}, answered by {patient.name}."
    )
    if patient.stand_in:
        note("stand-in: the rules are a small program, no language model, and talk like one")
    note("ask as the doctor; /help lists commands, Ctrl-D ends")


def _check_out(out: Path | None) -> None:
    from bench.core.atomic import check_writable
    from bench.core.errors import UserError

    if out is not None:
        if out.exists():
            raise UserError(f"--out {out} is there already: name another file")
        check_writable(out)
