"""Practice questions from a record: examination, diagnosis and treatment, as it supports them.

The right answer is what the record says, be it good medicine or not: what records teach is what
is measured. Wrong options come from other records and from the knowledge base, the same for every
condition; nothing comes from test questions. The text of a question never holds its answer.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from string import ascii_uppercase
from typing import Literal

from bench.knowledge.cases import derive_seed
from bench.knowledge.library import Library, Listing
from bench.knowledge.outline import Outline
from bench.model import Model
from bench.records.record import PatientRecord
from bench.training.describing import describe
from bench.training.names import alike, forms, tells

Kind = Literal["examination", "diagnosis", "treatment"]
OPTIONS = 4
"""Options of a practice question, at most; at least 2."""
LEADS: dict[Kind, str] = {
    "examination": "Which of the following examinations is most likely to show the cause?",
    "diagnosis": "Which of the following is the most likely diagnosis?",
    "treatment": "Which of the following drugs treats this patient's disease?",
}
_DRUG = re.compile(
    r"(?:\b(?:takes?|taking|on|with|receives?|prescribed|started)\s+)?"
    r"\b([A-Za-z][a-z]{3,}(?:[- ][a-z]{3,}){0,2}?)\s+"
    r"\d+(?:[.,]\d+)?\s?(?:mg|g|µg|mcg|micrograms?|ml|units?|IU)\b"
)
"""A drug by the dose behind it: "Tamsulosin 0.4 mg once daily"."""
_NORMAL = re.compile(
    r"\b(?:normal|negative|unremarkable|within|not detected|nothing|no|without|intact|in order)\b",
    re.IGNORECASE,
)
"""What a finding says that tells little."""
_LEADING = frozenset(
    re.findall(r"\w+", "take taking takes with receives receive prescribed started treated on")
)


class PracticeItem(Model):
    """One practice question."""

    record: str
    """Id of the record."""
    kind: Kind
    question: str
    options: dict[str, str]
    """Texts by letter."""
    correct: str
    """Letter of what the record supports."""

    @property
    def answer(self) -> str:
        """Text of the right option."""
        return self.options[self.correct]

    def turned(self) -> "PracticeItem":
        """The same with every option one letter on: no letter that was right is right again."""
        letters = list(self.options)
        texts = [self.options[letter] for letter in letters]
        moved = dict(zip(letters, texts[-1:] + texts[:-1], strict=True))
        correct = letters[(letters.index(self.correct) + 1) % len(letters)]
        return self.model_copy(update={"options": moved, "correct": correct})


def practise(
    record: PatientRecord, others: Sequence[PatientRecord], library: Library, seed: int
) -> list[PracticeItem]:
    """The practice questions of a record; those it does not support are left out.

    `others` are the records that lend wrong options; those of another department, or of the same
    disease, lend none.
    """
    outline = library.find(record.disease_information.disease)
    lenders = [
        one
        for one in others
        if one.department == record.department
        and not _is(one.disease_information.disease, _names(record, outline))
    ]
    makers = (_examination, _diagnosis, _treatment)
    made = (maker(record, outline, lenders, library, seed) for maker in makers)
    return [item for item in made if item is not None]


def _diagnosis(
    record: PatientRecord,
    outline: Outline | None,
    lenders: Sequence[PatientRecord],
    library: Library,
    seed: int,
) -> PracticeItem | None:
    """Which disease? Among those of the other records and the differentials of the outline."""
    names = _names(record, outline)
    candidates = [one.disease_information.disease for one in lenders]
    candidates += [one.name for one in _listed(record, library)]
    if outline is not None:
        candidates += [one.name for one in outline.differentials]
    wrong = [name for name in candidates if not _is(name, names)]
    text = describe(record, examined=True, hidden=names)
    right = record.disease_information.disease
    return _item(record, "diagnosis", text, right, wrong, seed)


def _examination(
    record: PatientRecord,
    outline: Outline | None,
    lenders: Sequence[PatientRecord],
    library: Library,
    seed: int,
) -> PracticeItem | None:
    """Which test? One that the record reports, among those of other diseases.

    It is one whose result is not plainly normal, no physical examination, and one that few other
    diseases have, if there is such a one. What the outline has for the disease is no wrong option,
    reported or not.
    """
    foreign = [(one.test, one.category) for other in lenders for one in other.examination_results]
    for listing in _listed(record, library):
        if listing.id != (outline.id if outline else ""):
            guides = library.get(listing.id).examinations
            foreign += [(guide.test, guide.category) for guide in guides]
    own = [one.test for one in record.examination_results]
    suited = own + [guide.test for guide in outline.examinations] if outline else own
    if not own:
        return None
    right = _telling_test(record, [test for test, _ in foreign], seed)
    category = next(one.category for one in record.examination_results if one.test == right)
    wrong = [name for name in foreign if not any(alike(name[0], test) for test in suited)]
    # Tests under the same head stand first: a lone radiograph among blood tests is no question.
    near = [name for name, head in wrong if head == category]
    text = describe(record, examined=False, hidden=(right, *forms(right)))
    far = [name for name, _ in wrong] if len(set(near)) < OPTIONS - 1 else []
    return _item(record, "examination", text, right, near + far, seed)


def _telling_test(record: PatientRecord, foreign: Sequence[str], seed: int) -> str:
    """The test that tells most, as far as the words say; equal ones are drawn."""
    places = {
        one.test: (
            bool(_NORMAL.search(one.finding)),
            one.category.lower().startswith("phys"),
            sum(alike(one.test, other) for other in foreign),
        )
        for one in record.examination_results
    }
    best = min(places.values())
    drawn = _draw(record, "examination test", seed)
    return drawn.choice(sorted(test for test, place in places.items() if place == best))


def _treatment(
    record: PatientRecord,
    outline: Outline | None,
    lenders: Sequence[PatientRecord],
    library: Library,
    seed: int,
) -> PracticeItem | None:
    """Which drug? Only where one statement of the record names it, with a dose, and the disease."""
    drug = next(_drugs_for(record, _names(record, outline)), None)
    if drug is None:
        return None
    told = [statement for other in lenders for statement in _medication(other)]
    for listing in _listed(record, library):
        if listing.id != (outline.id if outline else ""):
            told += [item.text for item in library.get(listing.id).history.medication]
    own = [name for statement in _medication(record) for name in _drugs(statement)]
    if outline is not None:
        own += [name for item in outline.history.medication for name in _drugs(item.text)]
    wrong = [name for statement in told for name in _drugs(statement)]
    wrong = [name for name in wrong if not any(alike(name, taken) for taken in own)]
    text = describe(record, examined=True, hidden=(drug,))
    named = f"{text} Diagnosis: {record.disease_information.disease}."
    return None if tells(named, (drug,)) else _item(record, "treatment", named, drug, wrong, seed)


def _item(
    record: PatientRecord, kind: Kind, text: str, right: str, wrong: Iterable[str], seed: int
) -> PracticeItem | None:
    """The question with options drawn and in an order drawn; none without a wrong option."""
    drawn = _draw(record, kind, seed)
    distinct: list[str] = []
    for name in wrong:
        if not any(alike(name, one) for one in (right, *distinct)):
            distinct.append(name)
    if not distinct:
        return None
    # Sorted, so that the order in which options were found does not tell.
    options = [right, *drawn.sample(sorted(distinct), min(OPTIONS - 1, len(distinct)))]
    drawn.shuffle(options)
    return PracticeItem(
        record=record.id,
        kind=kind,
        question=f"{text} {LEADS[kind]}",
        options=dict(zip(ascii_uppercase, options, strict=False)),
        correct=ascii_uppercase[options.index(right)],
    )


def _draw(record: PatientRecord, what: str, seed: int) -> random.Random:
    return random.Random(derive_seed(seed, "practice", record.id, what))


def _names(record: PatientRecord, outline: Outline | None) -> tuple[str, ...]:
    """Every name of the record's disease."""
    names = [record.disease_information.disease]
    if outline is not None:
        names += [outline.name, *outline.synonyms]
    return tuple(dict.fromkeys(form for name in names for form in forms(name)))


def _is(disease: str, names: Iterable[str]) -> bool:
    return any(alike(disease, name) for name in names)


def _listed(record: PatientRecord, library: Library) -> Sequence[Listing]:
    """The knowledge base's diseases of the record's department, if it knows that."""
    if record.department not in library.departments:
        return ()
    return library.diseases(record.department)


def _medication(record: PatientRecord) -> Iterator[str]:
    """Statements of a record that may tell of drugs."""
    yield from record.epidemiology.medical_history
    if record.profile is not None and record.profile.medication:
        yield from record.profile.medication.split(";")


def _drugs_for(record: PatientRecord, names: tuple[str, ...]) -> Iterator[str]:
    """Drugs of statements that name the disease: "Metformin 500 mg for type 2 diabetes"."""
    for statement in _medication(record):
        if tells(statement, names):
            yield from _drugs(statement)


def _drugs(statement: str) -> Iterator[str]:
    """The drugs that a statement names with a dose, with a capital letter."""
    for found in _DRUG.finditer(statement):
        words = found[1].split()
        while words and words[0].lower() in _LEADING:
            words = words[1:]
        if words:
            name = " ".join(words)
            yield name[:1].upper() + name[1:]
