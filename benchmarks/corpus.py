"""Seeded texts shaped like patient records, made from slot lists; they mean nothing clinically."""

import random

_SLOTS: dict[str, tuple[str, ...]] = {
    "gender": ("Female", "Male"),
    "complaint": (
        "crushing chest pain", "shortness of breath", "a dry cough", "burning epigastric pain",
        "recurrent dizziness", "swelling of both ankles", "an itchy rash on the forearms",
        "colicky flank pain", "loose watery stools", "a throbbing headache", "palpitations",
        "blurred vision", "hoarseness", "night sweats", "stiffness of the small joints",
        "difficulty swallowing solids", "intermittent fever", "tingling in the left hand",
    ),
    "quality": ("dull", "stabbing", "cramping", "burning", "pressing", "throbbing", "gnawing"),
    "place": (
        "the left arm", "the back", "the jaw", "the groin", "the right shoulder", "the neck",
        "the lower abdomen", "both legs",
    ),
    "trigger": (
        "climbing stairs", "heavy meals", "cold air", "lying flat", "stress at work", "exercise",
        "alcohol", "standing up quickly", "deep breathing", "walking more than 200 m",
    ),
    "relief": (
        "rest", "antacids", "sitting upright", "paracetamol", "an inhaler", "nothing so far",
        "leaning forward", "a warm bath", "fasting",
    ),
    "history": (
        "type 2 diabetes mellitus", "hypertension", "hyperlipidaemia", "asthma since childhood",
        "an appendectomy", "hypothyroidism", "chronic kidney disease stage 3", "gout",
        "a fractured wrist", "atrial fibrillation", "iron deficiency anaemia", "migraine",
        "gastro-oesophageal reflux", "penicillin allergy", "osteoarthritis of the knee",
    ),
    "drug": (
        "metformin 500 mg", "lisinopril 10 mg", "atorvastatin 20 mg", "levothyroxine 75 µg",
        "salbutamol as needed", "omeprazole 20 mg", "apixaban 5 mg", "allopurinol 100 mg",
        "ibuprofen 400 mg", "sertraline 50 mg", "amlodipine 5 mg", "no regular medication",
    ),
    "work": (
        "a school teacher", "a long-distance driver", "a retired miner", "an accountant", "a nurse",
        "a farmer", "a software developer", "a cook in a hospital kitchen", "a carpenter",
        "a student of law", "a shop assistant",
    ),
    "habit": (
        "smokes 10 cigarettes a day", "has never smoked", "stopped smoking in 2009",
        "drinks two glasses of wine on weekends", "does not drink alcohol", "drinks beer daily",
        "walks the dog every morning", "sleeps fewer than 6 hours", "eats mostly ready-made meals",
        "follows a vegetarian diet", "plays badminton twice a week",
    ),
    "relative": ("father", "mother", "older brother", "younger sister", "grandmother", "uncle"),
    "kin": (
        "died of a stroke at 71", "has coronary artery disease", "had colon cancer at 58",
        "has rheumatoid arthritis", "is treated for epilepsy", "has type 1 diabetes",
        "had tuberculosis as a child", "is healthy",
    ),
    "vaccine": ("influenza", "tetanus", "hepatitis B", "pneumococcal", "COVID-19", "shingles"),
    "state": ("up to date", "overdue", "never given", "given last autumn", "declined"),
    "onset": ("suddenly", "gradually", "after an infection", "overnight", "on holiday", "at work"),
    "course": (
        "has become steadily worse", "comes and goes", "is unchanged", "improved, then returned",
        "now wakes the patient at night", "is worst in the morning",
    ),
    "unit": ("days", "weeks", "months"),
    "lab": (
        "Haemoglobin", "White cell count", "Platelets", "C-reactive protein", "Creatinine",
        "Potassium", "Troponin I", "ALT", "Fasting glucose", "TSH", "D-dimer", "Ferritin",
    ),
    "measure": ("g/dL", "10^9/L", "mg/L", "µmol/L", "mmol/L", "ng/L", "U/L", "mU/L"),
    "grade": ("slightly raised", "within the reference range", "markedly raised", "low"),
    "image": (
        "Chest radiograph", "Abdominal ultrasound", "CT of the head", "12-lead ECG", "Gastroscopy",
        "Echocardiogram", "MRI of the lumbar spine", "Spirometry",
    ),
    "seen": (
        "shows no acute change", "shows ST-segment depression in V4-V6",
        "shows a consolidation of the right lower lobe", "shows mild left ventricular hypertrophy",
        "shows a 9-mm calculus at the vesicoureteric junction", "shows an obstructive pattern",
        "shows erosions of the gastric antrum", "shows thickening of the gallbladder wall",
        "was of limited quality and should be repeated", "shows degenerative change at L4/L5",
    ),
}  # fmt: skip
_SENTENCES = (
    "The complaint began {onset} {number} {unit} ago and {course}.",
    "There is {complaint}, {quality} in character, spreading to {place}.",
    "It is brought on by {trigger} and eased by {relief}.",
    "The patient also reports {complaint} and {complaint}, but denies {complaint}.",
    "Medical history: {history}, {history} (diagnosed in {year}) and {history}.",
    "Regular drugs: {drug}; {drug}.",
    "Works as {work}, {habit} and {habit}.",
    "The patient's {relative} {kin}; the {relative} {kin}.",
    "Vaccinations: {vaccine} {state}, {vaccine} {state}.",
    "{lab} (laboratory): {value} {measure} (reference {low}-{high}); {grade}.",
    "{image} (imaging): {seen}.",
    "On examination, pressure over {place} is {quality}ly painful; pulse {pulse}/min, regular.",
)


def note(draw: random.Random, shortest: int = 250, longest: int = 400) -> str:
    """One text of `shortest` to `longest` words, headed like a record."""
    # The last sentence may go past the target.
    target = draw.randint(shortest, max(shortest, longest - 25))
    parts = [f"Basic Information\nGender: {draw.choice(_SLOTS['gender'])}\nAge: {_age(draw)}"]
    count = 6
    while True:
        sentence = _fill(draw, draw.choice(_SENTENCES))
        parts.append(sentence)
        count += len(sentence.split())
        if count >= target:
            return "\n".join(parts)


def notes(n: int, seed: int = 1, shortest: int = 250, longest: int = 400) -> list[str]:
    """Texts that differ from each other, the same for the same arguments."""
    draw = random.Random(seed)
    return [note(draw, shortest, longest) for _ in range(n)]


def _age(draw: random.Random) -> int:
    return draw.randint(18, 95)


def _fill(draw: random.Random, template: str) -> str:
    pieces = template.split("{")
    shown = [pieces[0]]
    for piece in pieces[1:]:
        slot, rest = piece.split("}", 1)
        shown.append((draw.choice(_SLOTS[slot]) if slot in _SLOTS else _number(draw, slot)) + rest)
    return "".join(shown)


def _number(draw: random.Random, slot: str) -> str:
    if slot == "value":
        return f"{draw.uniform(0.1, 300):.1f}"
    ranges = {"number": (2, 14), "year": (1985, 2024), "low": (1, 40), "high": (60, 400)}
    return str(draw.randint(*ranges.get(slot, (55, 118))))
