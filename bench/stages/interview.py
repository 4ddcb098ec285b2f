"""The dialogues of a run: every patient, in every interaction, with every format of its record."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations

from bench.agents.interview import Setting, converse
from bench.agents.styles import style
from bench.agents.triplets import make_engine
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.metric import Difference, Metric, Talks
from bench.backbones.respondent import Respondent
from bench.core.atomic import writing
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.experiments.experiment import Interviews
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import DialogueFile, json_line
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile
from bench.runs.folder import Cell, Scored, talks_of
from bench.stages.underway import Done, Run, compare_cells, score_cell

OF_THE_PAPER = 10
"""Patients of a department in the paper, whose styles are dealt over all departments."""


def check_talks(interviews: Interviews | None, metrics: Iterable[Metric]) -> None:
    """Find out before long work what would stop the dialogues after it.

    Raises:
        UserError: for an unknown style, or a metric of dialogues where none are held.
    """
    if interviews is not None:
        for name in interviews.styles:
            style(name)
        return
    for metric in metrics:
        if metric.card.takes == "dialogues":
            raise UserError(
                f"the metric {metric.card.name!r} scores dialogues, and the experiment holds none: "
                "add `dialogues:` to the experiment file"
            )


def talkers(run: Run) -> dict[str, Context]:
    """Patient, doctor and labeller for the records of each backbone; none without dialogues.

    Raises:
        UserError: if nobody is named for one of them, or the triplet engine cannot be used.
    """
    interviews, roles = run.experiment.dialogues, run.experiment.roles
    if interviews is None:
        return {}
    engaged: dict[str, Respondent] = {}
    found: dict[str, Context] = {}
    for label, writer in run.writers.items():
        own = dict(run.context.roles)
        chosen = roles.talking(writer)
        for role in interviews.asked():
            choice = chosen[role]
            known = f"{role} {choice.model_dump_json()}"
            engaged[known] = engaged.get(known) or run.team.engage(role, choice)
            own[role] = engaged[known]
        found[label] = replace(run.context, roles=own)
        if any(interaction.endswith("-with") for interaction in interviews.interactions):
            make_engine(interviews.triplets, found[label])
    return found


def setting_of(interviews: Interviews, cell: Cell, index: int) -> Setting:
    """How the patient of an index, over all departments, is interviewed in a cell."""
    if cell.interaction is None or cell.format is None:
        raise ValueError(f"{cell} holds no dialogues")
    return Setting(
        format=cell.format,
        updating=interviews.updating if cell.interaction.endswith("-with") else "none",
        rounds=2 if cell.interaction.startswith("cross") else 1,
        questions=interviews.questions,
        style=interviews.styles[index % len(interviews.styles)],
        triplets=interviews.triplets,
        decomposition=interviews.decomposition,
        replicate=f"{cell.backbone}/{cell.method}",
    )


def patients(
    records: Iterable[PatientRecord], departments: tuple[str, ...], each: int
) -> Iterator[tuple[int, PatientRecord]]:
    """The first records of each department, each with its index over the paper's patients.

    The index, so the style, changes neither with `each` nor with a record that is missing in
    another department.
    """
    seen: Counter[str] = Counter()
    places = {name: number * OF_THE_PAPER for number, name in enumerate(departments)}
    for record in records:
        department = record.department
        if department in places and seen[department] < each:
            yield places[department] + seen[department], record
            seen[department] += 1


async def talk(run: Run, cell: Cell, context: Context) -> list[Difference]:
    """Interview the patients of a cell, score the dialogues, and compare the formats."""
    interviews = run.experiment.dialogues
    if interviews is None:
        return []
    metrics = run.metrics_of("dialogues")
    records = RecordFile(run.folder.records(cell))
    done: dict[str, Done] = {}
    for one in talks_of(cell, interviews):
        talks = await _hold(run, one, interviews, records, context)
        done[one.label] = await score_cell(run, one.label, talks, metrics, context)
        run.folder.save_scores(Scored(cell=one, scores=done[one.label].scores))
    couples = list(_couples(cell, interviews))
    return await compare_cells(run, couples, done, metrics, context)


def _couples(cell: Cell, interviews: Interviews) -> Iterator[tuple[str, str]]:
    """Labels of the formats to compare within an interaction: ours with each other one."""
    for interaction in interviews.interactions:
        held = [one for one in talks_of(cell, interviews) if one.interaction == interaction]
        ours = [one for one in held if one.format == "atomic"]
        others = [one for one in held if one.format != "atomic"]
        if ours:
            yield from ((ours[0].label, other.label) for other in others)
        else:
            yield from ((second.label, first.label) for first, second in combinations(others, 2))


async def _hold(
    run: Run,
    cell: Cell,
    interviews: Interviews,
    records: Iterable[PatientRecord],
    context: Context,
) -> Talks:
    """Write a cell's dialogues file; what fails is counted."""
    path = run.folder.dialogues(cell)
    each = interviews.patients_per_department
    planned = len(run.departments) * each
    written = exchanges = calls = 0

    async def one(patient: tuple[int, PatientRecord]) -> Dialogue | Failure:
        index, record = patient
        setting = setting_of(interviews, cell, index)
        return await guarded(converse(record, setting, context), record.id, cell.label)

    made = ordered_map(one, patients(records, run.departments, each), context.at_once)
    title = f"{cell.label} with the patients of {cell.backbone}"
    with run.watch.stage(title, planned) as step, writing(path) as file:
        async for dialogue in made:
            step(failed=isinstance(dialogue, Failure))
            if isinstance(dialogue, Failure):
                run.failures.append(dialogue)
                continue
            file.write(json_line(dialogue))
            written += 1
            exchanges += len(dialogue.exchanges())
            calls += sum(exchange.calls for exchange in dialogue.exchanges())
    run.talked[f"{cell.backbone} {cell.label}"] = {"exchanges": exchanges, "calls": calls}
    setting = setting_of(interviews, cell, 0)
    answers = setting.rounds * setting.questions
    return Talks(DialogueFile(path), missing=planned - written, answers=answers)
