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
SAMPLES = ("2024-05-17", "10 days", "120/80", "42", "A", "a", "normal", "F10.2", "10:30")
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
    """Walks one schema with one random stream."""

    def __init__(self, root: dict[str, Any], rng: random.Random) -> None:
        self.root = root
        self.rng = rng

    def value(self, node: Any, depth: int = 0) -> Any:
        if not isinstance(node, dict):
            return self.words({})
        node = self.resolved(node)
        if "const" in node:
            return node["const"]
        if "enum" in node:
            return self.rng.choice(node["enum"])
        for union in ("anyOf", "oneOf"):
            if union in node:
                return self.value(self.choice(node[union], depth), depth + 1)
        kind = node.get("type", "object" if "properties" in node else "string")
        if isinstance(kind, list):
            kind = self.choice([{"type": name} for name in kind], depth)["type"]
        made: Any = getattr(self, f"_{kind}")(node, depth)
        return made

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node or "allOf" in node:
            node = dict(node)
            if "$ref" in node:
                target: Any = self.root
                for part in node.pop("$ref").removeprefix("#/").split("/"):
                    target = target[part]
                node = {**target, **node}
            else:
                for part in node.pop("allOf"):
                    node = {**self.resolved(part), **node}
        return node

    def choice(self, options: list[Any], depth: int) -> Any:
        null = [one for one in options if self.resolved(one).get("type") == "null"]
        others = [one for one in options if one not in null]
        if null and (not others or depth > DEEPEST or self.rng.random() < 0.1):
            return null[0]
        return self.rng.choice(others)

    def words(self, node: dict[str, Any]) -> str:
        text = " ".join(self.rng.choices(WORDS, k=self.rng.randint(3, 9)))
        while len(text) < node.get("minLength", 0):
            text += " " + self.rng.choice(WORDS)
        return text[: node.get("maxLength", len(text))]

    def _string(self, node: dict[str, Any], depth: int) -> str:
        if node.get("format") in ("date", "date-time"):
            day = (
                f"20{self.rng.randint(10, 24)}-0{self.rng.randint(1, 9)}-1{self.rng.randint(0, 9)}"
            )
            return day if node["format"] == "date" else day + "T10:00:00Z"
        text = self.words(node)
        if "pattern" in node:
            fits = [one for one in (text, *SAMPLES) if re.search(node["pattern"], one)]
            return fits[0] if fits else text
        return text

    def _integer(self, node: dict[str, Any], depth: int) -> int:
        step = int(node.get("multipleOf", 1))
        low = int(node.get("minimum", node.get("exclusiveMinimum", 0) + step * 0))
        low += "exclusiveMinimum" in node and "minimum" not in node
        high = int(node.get("maximum", node.get("exclusiveMaximum", low + 100)))
        high -= "exclusiveMaximum" in node and "maximum" not in node
        first = -(-low // step) * step
        return first + step * self.rng.randint(0, max(0, (high - first) // step))

    def _number(self, node: dict[str, Any], depth: int) -> float:
        low = float(node.get("minimum", node.get("exclusiveMinimum", 0)))
        high = float(node.get("maximum", node.get("exclusiveMaximum", low + 100)))
        return low + (high - low) * self.rng.randint(1, 99) / 100

    def _boolean(self, node: dict[str, Any], depth: int) -> bool:
        return self.rng.random() < 0.85

    def _null(self, node: dict[str, Any], depth: int) -> None:
        return None

    def _array(self, node: dict[str, Any], depth: int) -> list[Any]:
        made = [self.value(part, depth + 1) for part in node.get("prefixItems", ())]
        least = node.get("minItems", 2 if depth < DEEPEST else 0)
        most = max(least, node.get("maxItems", 5 if depth < DEEPEST else least))
        size = self.rng.randint(max(least, min(2, most)), min(most, max(5, least)))
        items = node.get("items", {"type": "string"})
        if items is False or "prefixItems" in node:
            return made
        for _ in range(4 * size):  # a few more, where they must differ
            if len(made) == size:
                break
            one = self.value(items, depth + 1)
            if not (node.get("uniqueItems") and one in made):
                made.append(one)
        return made

    def _object(self, node: dict[str, Any], depth: int) -> dict[str, Any]:
        made = {
            name: self.value(part, depth + 1) for name, part in node.get("properties", {}).items()
        }
        extra = node.get("additionalProperties")
        if not made and isinstance(extra, dict):
            names = self.resolved(node.get("propertyNames", {})).get("enum")
            names = names or self.rng.sample(WORDS, k=2)
            made = {str(name): self.value(extra, depth + 1) for name in names[:3]}
        return made
