"""Records that are nearly test questions: found before training, and left out of it by default.

A record is suspect of a question if both hold:

- the cosine of their embeddings (the run's encoder; the record as plain text without id and name,
  the question without its options) is at least `COSINE`;
- of the runs of eight words of the shorter of the two, at least the share `OVERLAP` stands in the
  other too (letters and digits only, case folded).

Eight words are the unit with which PaLM (arXiv 2204.02311) looked for contamination; GPT-3 took
thirteen. PaLM's threshold, 70 % of a question's runs, is for copies in running text. A record is a
list of short statements, which cuts copied runs at every joint, so ours is lower. Measured:

- 96 records by the rules share no run of eight words with any of our 72 sample questions, nor with
  388 questions of the MedQA test split;
- two different questions of those 388 share up to 0.18, by stock phrases and near-duplicates;
- records into which a whole sample question was copied, sentence by sentence, beside another
  patient's history: overlap 0.58 to 0.76, cosine 0.49 to 0.83; with half of the question the
  medians are 0.30 and 0.56.

So the overlap lies above what different texts share and below every whole copy; the cosine, which
is up to 0.69 for independent pairs and tells little alone, drops pairs of different matter that
share boilerplate. Neither finds a paraphrase.
"""

from collections.abc import Iterable, Sequence

from bench.api.context import Context
from bench.core.schema import Model
from bench.core.text import overlap, runs
from bench.medqa.question import Question
from bench.records.formats import Text
from bench.records.record import PatientRecord

COSINE = 0.4
OVERLAP = 0.2


class Suspect(Model):
    """A record with the test question it is nearest to."""

    record: str
    """Id of the record."""
    question: str
    """Id of the question."""
    cosine: float
    """Of the embeddings."""
    overlap: float
    """Share of the shorter text's runs of eight words that both have, in [0, 1]."""


async def guard(
    records: Sequence[PatientRecord], questions: Sequence[Question], context: Context
) -> list[Suspect]:
    """The suspect records in order, each once, with the question of the greatest overlap.

    Raises:
        UserError: there is no encoder.
    """
    texts = [Text().render(record, identity=False) for record in records]
    asked = {question.id: question.question for question in questions}
    asked_runs = {identity: runs(text) for identity, text in asked.items()}
    pairs = [
        (at, identity, share)
        for at, own in enumerate(map(runs, texts))
        for identity, theirs in asked_runs.items()
        if (share := overlap(own, theirs)) >= OVERLAP
    ]
    if not pairs:
        return []
    wanted = [text for at, identity, _ in pairs for text in (texts[at], asked[identity])]
    vectors = await context.encoder().embed(wanted)
    suspects: dict[int, Suspect] = {}
    for (at, identity, share), one, other in zip(pairs, vectors[::2], vectors[1::2], strict=True):
        cosine = float(one @ other)
        if cosine >= COSINE and (at not in suspects or share > suspects[at].overlap):
            suspects[at] = Suspect(
                record=records[at].id, question=identity, cosine=cosine, overlap=share
            )
    return list(suspects.values())


def without(records: Iterable[PatientRecord], suspects: Iterable[Suspect]) -> list[PatientRecord]:
    """The records that are not suspect."""
    barred = {suspect.record for suspect in suspects}
    return [record for record in records if record.id not in barred]
