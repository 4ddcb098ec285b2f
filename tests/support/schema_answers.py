"""Answers made from a JSON schema alone: valid, deterministic, meaningless."""

import json
import random
import re
from typing import Any

_LIST = (
    "abdominal acute allergic anaemia antibiotic appetite artery asthma bilateral biopsy "
    "bleeding blood bronchial burning cardiac chest chronic clinic cough daily dermatitis "
    "diabetes diffuse dizziness dry dull dyspnoea elevated episodic exertion eye family fatigue "
    "fever fluid gastric headache heart hepatic history hypertension infection inhaler "
    "intermittent joint kidney left lesion lower lung mild moderate morning mucosa nausea nerve "
    "night normal onset oral pain pale persistent productive pulse radiating rash recent renal "
    "right severe skin sleep smoker sore spleen sputum sudden swelling tender throat thyroid "
    "tissue ulcer upper urine vein visual vomiting weakness weight wheeze worse "
)
WORDS = _LIST.split()
DEEPEST = 8


def answer(schema: dict[str, Any], seed: str) -> str:
    """JSON text that follows the schema; the same for the same seed."""
    return json.dumps(Maker(schema, random.Random(seed)).value(schema), ensure_ascii=False)


def sentence(seed: str, least: int = 8, most: int = 20) -> str:
    """Words without a schema."""
    rng = random.Random(seed)
    return " ".join(rng.choices(WORDS, k=rng.randint(least, most))).capitalize() + "."


def schema_in(text: str) -> dict[str, Any] | None:
    """The first JSON schema of an object that the text holds."""
    decoder = json.JSONDecoder()
    for place in re.finditer(r"\{", text):
        try:
            found, _ = decoder.raw_decode(text, place.start())
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict) and ("properties" in found or "$ref" in found):
            return found
    return None


class Maker:
    """Walks one schema with one random stream; it knows what pydantic says of our models."""

    def __init__(self, root: dict[str, Any], rng: random.Random) -> None:
        self.root = root
        self.rng = rng

    def value(self, node: dict[str, Any], depth: int = 0) -> Any:
        node = self.resolved(node)
        if "const" in node:
            return node["const"]
        if "enum" in node:
            return self.rng.choice(node["enum"])
        if "anyOf" in node:
            return self.value(self.choice(node["anyOf"], depth), depth + 1)
        if node.get("type") == "null":
            return None
        made: Any = getattr(self, f"_{node.get('type', 'string')}")(node, depth)
        return made

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            name = node["$ref"].removeprefix("#/$defs/")
            node = {**self.root["$defs"][name], **node}
            del node["$ref"]
        return node

    def choice(self, options: list[Any], depth: int) -> Any:
        null = [one for one in options if one.get("type") == "null"]
        others = [one for one in options if one not in null]
        if null and (depth > DEEPEST or self.rng.random() < 0.1):
            return null[0]
        return self.rng.choice(others)

    def _string(self, node: dict[str, Any], depth: int) -> str:
        if node.get("format") == "date":
            return f"20{self.rng.randint(10, 24)}-0{self.rng.randint(1, 9)}-17"
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(3, 9)))

    def _integer(self, node: dict[str, Any], depth: int) -> int:
        low = int(node.get("minimum", node.get("exclusiveMinimum", 0)))
        low += "exclusiveMinimum" in node
        return self.rng.randint(low, int(node.get("maximum", low + 100)))

    def _number(self, node: dict[str, Any], depth: int) -> float:
        low = float(node.get("minimum", node.get("exclusiveMinimum", 0)))
        high = float(node.get("maximum", low + 100))
        return low + (high - low) * self.rng.randint(1, 99) / 100

    def _boolean(self, node: dict[str, Any], depth: int) -> bool:
        return self.rng.random() < 0.85

    def _array(self, node: dict[str, Any], depth: int) -> list[Any]:
        least = node.get("minItems", 0)
        size = least if depth >= DEEPEST else self.rng.randint(max(least, 2), max(least, 5))
        return [self.value(node["items"], depth + 1) for _ in range(size)]

    def _object(self, node: dict[str, Any], depth: int) -> dict[str, Any]:
        fields, extra = node.get("properties", {}), node.get("additionalProperties")
        if not fields and isinstance(extra, dict):
            names = self.resolved(node.get("propertyNames", {})).get("enum", WORDS)
            fields = dict.fromkeys(map(str, names[:2]), extra)
        return {name: self.value(part, depth + 1) for name, part in fields.items()}
