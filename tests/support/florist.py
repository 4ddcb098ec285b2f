"""One patient, what she may say, and what each of it is to the facts: a world for agents' tests.

The scripted labeller looks the labels up; a tiny cross-encoder learns them by heart.
"""

from pathlib import Path
from typing import Any

from scripted import Scripted

from bench.backbones.requests import (
    Extract,
    Extracted,
    LabelFacts,
    Labelled,
    Labels,
    StatementLabels,
)
from bench.core.text import sentences
from bench.records.label import Label
from bench.records.record import (
    BasicInformation,
    DiseaseInformation,
    Epidemiology,
    Examination,
    PatientRecord,
)

RECORD = PatientRecord(
    id="FLO-1",
    department="Neurology",
    basic_information=BasicInformation(name="Ada Moss", gender="female", age=50),
    epidemiology=Epidemiology(
        medical_history=("Takes metformin 500 mg twice daily",),
        lifestyle=("Works as a florist",),
        vaccination_history=(),
        family_history=("Mother had a stroke",),
    ),
    disease_information=DiseaseInformation(
        disease="Lumbar radiculopathy",
        severity="moderate",
        symptoms=("burning pain in the left leg", "fever at night"),
        duration="3 weeks",
    ),
    examination_results=(
        Examination(category="laboratory", test="C-reactive protein", value="12", unit="mg/L"),
    ),
)
AGE, DRUG, WORK, FEVER = (
    "Age: 50",
    "Medical history: Takes metformin 500 mg twice daily",
    "Lifestyle: Works as a florist",
    "Symptom: fever at night",
)
BITE = "The patient was bitten by a dog in March"
SAYS_BITE = "A dog bit me in March."
SAYS_WORK = "I work as a florist."
LABELS: dict[str, dict[str, Label]] = {
    "I am 61 years old.": {AGE: "contradict"},
    "I am 50 years old.": {AGE: "entail"},
    "I never have fever at night.": {FEVER: "contradict"},
    "I have fever at night.": {FEVER: "entail"},
    "I take only warfarin.": {DRUG: "contradict"},
    "I take metformin 500 mg twice daily.": {DRUG: "entail"},
    SAYS_WORK: {WORK: "entail"},
    SAYS_BITE: {BITE: "entail"},
    "Good morning doctor.": {},
    "I do not know.": {},
    "A dog did.": {BITE: "entail"},
    "The patient works as a florist": {WORK: "entail"},
    BITE: {BITE: "entail"},
    "Some dog bit the patient": {BITE: "entail"},
    "The patient is 61": {AGE: "contradict"},
}
"""What each sentence or extracted statement is to facts; neutral to all others."""
STATES = {
    SAYS_WORK: "The patient works as a florist",
    SAYS_BITE: BITE,
    "A dog did.": "Some dog bit the patient",
}
"""What sentences state, extracted; the others state nothing."""


def label(task: LabelFacts) -> Labels:
    """The labels of whole statements, by their sentences."""

    def one(statement: str) -> tuple[Labelled, ...]:
        known: dict[str, Label] = {}
        for sentence in sentences(statement):
            for fact, text in task.facts.items():
                told = LABELS[sentence].get(text)
                if told and known.get(fact) != "contradict":
                    known[fact] = told
        return tuple(Labelled(fact=fact, label=told) for fact, told in known.items())

    return Labels(
        statements=tuple(
            StatementLabels(statement=number, labels=one(statement))
            for number, statement in enumerate(task.statements, start=1)
        )
    )


def extract(task: Extract) -> Extracted:
    """What the sentences of a text state."""
    return Extracted(facts=tuple(STATES[one] for one in sentences(task.text) if one in STATES))


def labeller() -> Scripted:
    return Scripted("labeller", label=label)


def tiny_cross_encoder(folder: Path, order: tuple[str, ...]) -> None:
    """Save a small cross-encoder that knows `LABELS` by heart."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    from bench.agents.memory import decompose_record

    facts = [*(fact.text for fact in decompose_record(RECORD)), BITE, "Some dog bit the patient"]
    pairs = [(said, fact) for said in LABELS for fact in facts]
    meant = [LABELS[said].get(fact, "neutral") for said, fact in pairs]
    cut = pre_tokenizers.Whitespace()
    words = sorted({w for p in pairs for t in p for w, _ in cut.pre_tokenize_str(t.lower())})
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.normalizer, raw.pre_tokenizer = normalizers.Lowercase(), cut
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    torch.manual_seed(0)
    model: Any = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=512,
            num_hidden_layers=1,
            num_attention_heads=8,
            intermediate_size=256,
            max_position_embeddings=64,
            initializer_range=0.1,
            id2label=dict(enumerate(order)),
            label2id={name: n for n, name in enumerate(order)},
        )
    ).eval()
    batch = tokenizer([a for a, _ in pairs], [b for _, b in pairs], padding=True)
    with torch.inference_mode():
        given = {name: torch.tensor(rows) for name, rows in batch.items()}
        pooled = model.bert(**given).pooler_output.double()
    # Random features, and a last layer that is solved for: nothing has to be trained.
    wanted = torch.tensor(
        [[float(name.lower().startswith(one[:6])) for name in order] for one in meant]
    )
    ridge = pooled.T @ pooled + 1e-3 * torch.eye(pooled.shape[1], dtype=torch.float64)
    solved = torch.linalg.solve(ridge, pooled.T @ wanted.double())
    assert (pooled @ solved - wanted).abs().max() < 0.1, "the tiny model did not learn its pairs"
    with torch.no_grad():
        model.classifier.weight.copy_(solved.T.float())
        model.classifier.bias.zero_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
