"""What a careful model would answer for the article on plantar fasciitis, with two inventions."""

import json
import re
from typing import Any

INVENTED = "Nine out of ten patients have a heel spur on the radiograph."
"""A quotation that the article does not hold."""


def said(text: str, quote: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "quote": quote, **more}


def past(text: str, quote: str = "", weight: float = 0.3) -> dict[str, Any]:
    bound = {"sex": "any", "groups": ["adults", "elderly"], "from_age": 20}
    return said(text, quote, weight=weight, **bound)


def symptom(name: str, quote: str, moderate: float = 0.4, **more: Any) -> dict[str, Any]:
    others = {"mild": moderate / 2, "severe": min(1.0, moderate * 1.2)}
    shares = {"typicality": moderate, "by_severity": others}
    phrases = [f"{name}, on most days", f"{name}, worse than a month ago"]
    return {"name": name, "phrases": phrases, "quote": quote, "sex": "any", **shares, **more}


def span(low: int, high: int, quote: str) -> dict[str, Any]:
    return {"low": low, "high": high, "unit": "months", "quote": quote}


def examined(category: str, test: str, quote: str, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"typicality": 0.5, "quantity": None, "findings": []}
    return {"category": category, "test": test, "quote": quote, **plain, **more}


def seen(text: str) -> dict[str, Any]:
    return {"text": text, "weight": 0.5, "severities": ["mild", "moderate", "severe"]}


def measured(unit: str, high: float, expected: str, spans: list[tuple[float, float]]) -> Any:
    levels = {
        severity: {"low": low, "high": top}
        for severity, (low, top) in zip(("mild", "moderate", "severe"), spans, strict=True)
    }
    groups = ["children", "adults", "elderly"]
    reference = [{"low": None, "high": high, "sex": "any", "groups": groups}]
    shown = {"unit": unit, "expected": expected, "decimals": 1}
    return {**shown, "reference": reference, "patient_range": levels}


RISKS = ("Obesity", "long hours of\nstanding", "a tight Achilles tendon", "flat feet", "running")
PARTS: dict[str, dict[str, Any]] = {
    "identity": {
        "synonyms": [said("plantar heel pain", "also known as plantar heel pain")],
        "codes": {
            "icd10": said("M72.2", "the arch of the foot (ICD-10: M72.2)"),
            "icd10cm": said("M72.2", ""),
        },
        "sex": {"value": "any", "quote": "women somewhat more often than men"},
        "female_share": {"value": 0.55, "quote": "women somewhat more often than men"},
        "ages": [
            {"group": "adults", "weight": 0.7, "low": 40, "high": 59, "quote": "between 40 and 60"},
            {"group": "elderly", "weight": 0.3, "low": 60, "high": 80, "quote": ""},
        ],
        "frequency": {
            "measure": "prevalence",
            "low": 4,
            "high": 7,
            "per": 100,
            "population": "adults",
            "quote": "It strikes about 4 to 7 of 100 adults",
        },
        "risk_factors": [
            said(risk.replace("\n", " "), "all raise the risk" if risk == "running" else risk)
            for risk in RISKS
        ],
        "causes": [said("small tears at the heel bone", "Repeated small tears where the band")],
    },
    "complaints": {
        "symptoms": [
            symptom(
                "stabbing pain under the heel",
                "About 90 % of patients complain of a stabbing pain under the heel",
                0.9,
            ),
            symptom("limping on bare feet", "Roughly half of them limp on bare feet", 0.5),
            symptom("foot stiffness", "Some report stiffness of the foot"),
            symptom("tight calf", "tightness of the calf"),
            symptom("burning sole", "a burning of the sole in the evening"),
            symptom("pain on stairs", "pain on climbing stairs"),
            symptom("pain on tiptoe", "standing on tiptoe"),
            # One letter is wrong: found all the same, and marked as not to the letter.
            symptom("slight swelling", "Sweling is slight if there is any"),
            symptom("heel spur", INVENTED, 0.1),
        ],
        "pertinent_negatives": [
            said("numbness", "Numbness is not part of the picture"),
            said("fever", "Numbness is not part of the picture; nor is fever"),
        ],
    },
    "course": {
        "onset": [said("gradual over weeks", "The onset is gradual over several weeks", weight=1)],
        "duration": {
            "mild": span(1, 3, ""),
            "moderate": span(3, 12, "pain for 3 to 12 months when they are first seen"),
            "severe": span(6, 24, ""),
        },
        "evolution": [said("slowly better", "Four in five recover within a year", weight=1)],
        "triggers": [said("long standing", "comes back after long standing", weight=1)],
        "relief": [],
    },
    "history": {
        "medical": [past("Overweight for {n} years", "Obesity, long hours of standing")],
        "family": [past("Mother had heel pain")],
        "lifestyle": [past("Stands at work", "long hours of standing on hard floors")],
        "vaccination": [past("Tetanus booster in the last ten years")],
        "medication": [past("Ibuprofen 400 mg as needed for the heel")],
        "allergy": [],
    },
    "examinations": {
        "examinations": [
            examined(
                "physical",
                "Palpation of the heel",
                "Pressing the inner side of the heel hurts",
                findings=[seen("Tender at the inner side of the heel")],
            ),
            examined(
                "imaging",
                "Ultrasound of the plantar fascia",
                "On ultrasound the band is thicker than 4 mm",
                quantity=measured("mm", 4, "high", [(4.2, 5), (4.6, 6), (5.5, 8)]),
            ),
            examined(
                "laboratory",
                "C-reactive protein",
                "normally below 5 mg/L, stay normal",
                quantity=measured("mg/L", 5, "normal", [(0.5, 4)] * 3),
            ),
            examined(
                "imaging",
                "Radiograph of the heel",
                "X-rays are taken to rule out a stress fracture",
                findings=[seen("No fracture line")],
            ),
        ]
    },
    "assessment": {
        "complications": [said("overloaded knee", "Limping may overload the knee")],
        "differentials": [
            {"name": name, "distinguished_by": sign, "quote": quote}
            for name, sign, quote in (
                ("Stress fracture", "pain on squeezing", "when the heel is squeezed"),
                ("Tarsal tunnel syndrome", "tingling", "there is tingling of the sole"),
                ("Fat pad atrophy", "central pain", "the centre of the heel is sore"),
            )
        ],
        "red_flags": [said("hot red heel with fever", "the heel is hot and red with fever")],
        "never_together": [{"facts": ["C-reactive protein high"], "because": "x", "quote": ""}],
        "sources": [
            {
                "title": "Heel Pain - Plantar Fasciitis: Clinical Practice Guidelines",
                "kind": "guideline",
                "year": 2023,
                "publisher": "Academy of Orthopaedic Physical Therapy",
                "quote": "Heel Pain – Plantar Fasciitis: Clinical Practice Guidelines",
            },
            {
                "title": "Big Book of Feet",
                "kind": "textbook",
                "year": 1999,
                "publisher": "Nobody",
                "quote": "Big Book of Feet, 1999",
            },
        ],
    },
}


def answer(words: str) -> str | None:
    """The answer to a prompt in words, or none where it is about something else."""
    wanted = re.search(r"^Part wanted: (\w+)$", words, re.MULTILINE)
    return json.dumps(PARTS[wanted[1]]) if wanted else None
