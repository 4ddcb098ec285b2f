"""Practice questions from a record: examination, diagnosis and treatment, as it supports them.

The right answer is what the record says, be it good medicine or not: what records teach is what
is measured. Wrong options come from the training's other records and from the knowledge base, none
from test questions. No statement in the text of a question gives its answer away by name.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from bench.core.schema import Model
from bench.core.text import words
from bench.knowledge.cases import derive_seed
from bench.knowledge.disease_names import find_named
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline
from bench.records.record import PatientRecord
from bench.students.names import alike, forms, tells
from bench.students.summary import describe

Kind = Literal["examination", "diagnosis", "treatment"]
OPTIONS = 4
"""Options of a practice question, at most; at least 2."""
LEADS: dict[Kind, str] = {
    "examination": "Which of the following examinations is most likely to show the cause?",
    "diagnosis": "Which of the following is the most likely diagnosis?",
    "treatment": "Which of the following drugs treats this patient's disease?",
}
_DRUG = re.compile(
    r"\b([A-Za-z][a-z]{3,}(?:[- ][a-z]{3,}){0,2}?)\s+"
    r"\d+(?:[.,]\d+)?\s?(?:mg|g|µg|mcg|micrograms?|ml|units?|IU)\b"
)
"""A drug by the dose behind it: "Tamsulosin 0.4 mg once daily"."""
_LEADING = frozenset(words("take taking takes with receives receive prescribed started treated"))
"""Words before a drug that are none of its name."""
_NORMAL = re.compile(
    r"\b(?:normal|negative|unremarkable|within|not detected|nothing|no|without|intact|in order)\b",
    re.IGNORECASE,
)
"""What a finding says that tells little."""


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


@dataclass(frozen=True)
class _Told:
    """What a record or an outline tells of its disease: wrong options for others."""

    disease: str
    tests: tuple[tuple[str, str], ...]
    """Each with the head it stands under."""
    drugs: frozenset[str]


@dataclass(frozen=True)
class _PracticeCase:
    """A record to be practised on."""

    record: PatientRecord
    outline: Outline | None
    names: tuple[str, ...]
    """Every name of its disease."""
    others: Sequence[_Told]
    """What is told of the other diseases of its department."""
    seed: int

    def draw(self, what: str) -> random.Random:
        """The random numbers for one purpose."""
        return random.Random(derive_seed(self.seed, "practice", self.record.id, what))


class Practice:
    """The practice questions of one training, whose records lend each other wrong options."""

    def __init__(self, records: Sequence[PatientRecord], library: Library, seed: int) -> None:
        """Read once what the records and the knowledge base say of each disease."""
        self._library = library
        self._seed = seed
        self._told: dict[str, list[_Told]] = {record.department: [] for record in records}
        """By department."""
        for department in self._told.keys() & set(library.departments):
            outlines = (library.get(listing.id) for listing in library.diseases(department))
            self._told[department] += map(_of_outline, outlines)
        for record in records:
            self._told[record.department].append(_of_record(record))

    def items(self, record: PatientRecord) -> list[PracticeItem]:
        """The questions of one of the records; those it does not support are left out.

        O(its tests x tests of its department).
        """
        disease = record.disease_information.disease
        outline = find_named(disease, self._library)
        names = _names(disease, outline)
        others = [one for one in self._told[record.department] if not _is(one.disease, names)]
        case = _PracticeCase(record, outline, names, others, self._seed)
        items = (maker(case) for maker in (_examination, _diagnosis, _treatment))
        return [item for item in items if item is not None]


def _of_record(record: PatientRecord) -> _Told:
    return _Told(
        record.disease_information.disease,
        tuple((one.test, one.category) for one in record.examination_results),
        frozenset(name for statement in _medication(record) for name in _drugs(statement)),
    )


def _of_outline(outline: Outline) -> _Told:
    return _Told(
        outline.name,
        tuple((guide.test, guide.category) for guide in outline.examinations),
        frozenset(name for item in outline.history.medication for name in _drugs(item.text)),
    )


def _diagnosis(case: _PracticeCase) -> PracticeItem | None:
    """Which disease? Among the other diseases and the differentials of the outline."""
    names = {one.disease for one in case.others}
    if case.outline is not None:
        names |= {one.name for one in case.outline.differentials}
    wrong = [name for name in names if not _is(name, case.names)]
    text = describe(case.record, examined=True, hidden=case.names)
    return _item(case, "diagnosis", text, case.record.disease_information.disease, wrong)


def _examination(case: _PracticeCase) -> PracticeItem | None:
    """Which test? One that the record reports, among those of other diseases.

    It is one whose result is not plainly normal, no physical examination, and one that few other
    diseases have, if there is such a one. What the outline has for the disease is no wrong option,
    reported or not.
    """
    own = [one.test for one in case.record.examination_results]
    if not own:
        return None
    guides = case.outline.examinations if case.outline is not None else ()
    suited = own + [guide.test for guide in guides]
    tests = Counter(test for one in case.others for test in one.tests)
    right = _telling_test(case, tests)
    category = next(one.category for one in case.record.examination_results if one.test == right)
    wrong = [(name, head) for name, head in tests if not _is(name, suited)]
    # Tests under the same head go first: a lone radiograph among blood tests is no question.
    near = [name for name, head in wrong if head == category]
    far = [name for name, head in wrong if head != category]
    text = describe(case.record, examined=False, hidden=tuple(forms(right)))
    return _item(case, "examination", text, right, near, far)


def _telling_test(case: _PracticeCase, tests: Counter[tuple[str, str]]) -> str:
    """The test that tells most, as far as the words say; equal ones are drawn.

    `tests` says how often each, with its head, is told of other diseases.
    """
    places = {
        one.test: (
            bool(_NORMAL.search(one.finding)),
            one.category.lower().startswith("phys"),
            sum(n for (other, _), n in tests.items() if alike(one.test, other)),
        )
        for one in case.record.examination_results
    }
    best = min(places.values())
    drawn = case.draw("examination test")
    return drawn.choice(sorted(test for test, place in places.items() if place == best))


def _treatment(case: _PracticeCase) -> PracticeItem | None:
    """Which drug? Only where one statement of the record names it, with a dose, and the disease."""
    told = (one for one in _medication(case.record) if tells(one, case.names))
    drug = next((drug for statement in told for drug in _drugs(statement)), None)
    if drug is None:
        return None
    own = _of_record(case.record).drugs
    if case.outline is not None:
        own |= _of_outline(case.outline).drugs
    wrong = [name for one in case.others for name in one.drugs if not _is(name, own)]
    text = describe(case.record, examined=True, hidden=(drug,))
    named = f"{text} Diagnosis: {case.record.disease_information.disease}."
    if text is None or tells(named, (drug,)):
        return None
    return _item(case, "treatment", named, drug, wrong)


def _item(
    case: _PracticeCase, kind: Kind, text: str | None, right: str, *wrong: Sequence[str]
) -> PracticeItem | None:
    """The question with options drawn, from the first wrong ones first, in an order drawn.

    None without a text or a wrong option.
    """
    drawn = case.draw(kind)
    options = [right]
    for names in wrong:
        # Sorted, so that the order in which options were found does not tell.
        candidates = sorted(set(names))
        drawn.shuffle(candidates)
        for name in candidates:
            if len(options) == OPTIONS:
                break
            if not _is(name, options):
                options.append(name)
    if text is None or len(options) == 1:
        return None
    drawn.shuffle(options)
    return PracticeItem(
        record=case.record.id,
        kind=kind,
        question=f"{text} {LEADS[kind]}",
        options=dict(zip(ascii_uppercase, options, strict=False)),
        correct=ascii_uppercase[options.index(right)],
    )


def _names(disease: str, outline: Outline | None) -> tuple[str, ...]:
    """Every name of a disease, its own first."""
    known = (outline.name, *outline.synonyms) if outline is not None else ()
    curated = (form for name in known for form in forms(name, curated=True))
    return tuple(dict.fromkeys((*forms(disease), *curated)))


def _is(name: str, others: Iterable[str]) -> bool:
    """Whether a name may mean what one of others does."""
    return any(alike(name, other) for other in others)


def _medication(record: PatientRecord) -> Iterator[str]:
    """Statements of a record that may tell of drugs."""
    yield from record.epidemiology.medical_history
    if record.profile is not None and record.profile.medication:
        yield from record.profile.medication.split(";")


def _drugs(statement: str) -> Iterator[str]:
    """The drugs that a statement names with a dose, with a capital letter."""
    for match in _DRUG.finditer(statement):
        named = match[1].split()
        while named and named[0].lower() in _LEADING:
            named.pop(0)
        if named:
            name = " ".join(named)
            yield name[:1].upper() + name[1:]
