"""A tiny causal model, saved by the suite; nothing comes from a hub."""

import asyncio
import json
import math
import shutil
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.backbones.local.transformers import Transformers
from bench.backbones.prompt import AskError, Completion, Message, Prompt, Sampling, Scores
from bench.backbones.requests import Rate
from bench.backbones.thinking import without_thinking
from bench.backbones.weights import identity
from bench.core.errors import UserError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WINDOW = 128
WORDS = (
    "the patient has a mild dry cough since ten days and no fever system user assistant : . , "
    "say it in one word two three four five six seven eight nine pain chest left right"
)
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}"
    "{% endif %}{{ m.role }} : {{ m.content }} . {% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)


def saved(folder: Path, *, seed: int = 0, template: str | None = None, bos: bool = False) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789{}[]\"'_-/\n", "[UNK]", "<s>", "</s>"]
    vocabulary = {
        word: place for place, word in enumerate(dict.fromkeys([*letters, *WORDS.split()]))
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
        )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", bos_token="<s>", eos_token="</s>"
    )
    if template:
        fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=len(vocabulary),
        n_positions=WINDOW,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=vocabulary["<s>"],
        eos_token_id=vocabulary["</s>"],
        initializer_range=0.3,  # or all answers look alike
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def backbone(tiny: Path) -> Transformers:
    return Transformers(str(tiny), device="cpu")


def prompt(
    words: str, temperature: float = 0.0, most: int = 20, answer: Any = str, top_p: float = 1.0
) -> Prompt[Any]:
    return Prompt(
        request=Rate(dialogue=(), rubric="y", low=1, high=5),
        messages=(Message("system", "say it"), Message("user", words)),
        answer=answer,
        sampling=Sampling(temperature, most, top_p),
        replicate="case-1",
    )


def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    async def gathered() -> list[Any]:
        return list(await asyncio.gather(*work, return_exceptions=True))

    return asyncio.run(gathered())


def alone(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def reference(folder: Path) -> tuple[Any, Any]:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def passes(backbone: Transformers) -> list[int]:
    """Sizes of the forward passes from here on."""
    sizes: list[int] = []
    inner = backbone._forward

    def counted(model: Any, batch: list[Any]) -> Sequence[Any]:
        sizes.append(len(batch))
        return inner(model, batch)

    backbone._forward = counted  # type: ignore[method-assign]
    return sizes


TEXTS = [
    "the patient has a mild dry cough",
    "no fever",
    "pain in the left chest since ten days , no cough and no fever",
    "two three four five six seven",
]


def test_scores_agree_with_the_loss_of_the_model(tiny: Path, backbone: Transformers) -> None:
    assert isinstance(backbone, Scores)
    model, tokenizer = reference(tiny)
    context, text = "the patient", "has a mild dry cough since ten days"
    values = alone(backbone.logprobs(context, text))
    before, whole = (
        tokenizer(one, return_tensors="pt").input_ids for one in (context, f"{context} {text}")
    )
    labels = whole.clone()
    labels[:, : before.shape[1]] = -100
    with torch.no_grad():
        loss = model(whole, labels=labels).loss.item()
    assert len(values) == 8
    assert math.exp(sum(values) / len(values)) == pytest.approx(math.exp(-loss), rel=1e-5)
    with torch.no_grad():
        loss = model(whole, labels=whole).loss.item()
    values = alone(backbone.logprobs("", f"{context} {text}"))
    assert len(values) == whole.shape[1] - 1
    assert math.exp(sum(values) / len(values)) == pytest.approx(math.exp(-loss), rel=1e-5)


def read_tokens(backbone: Transformers) -> list[int]:
    """Tokens of each forward pass from here on."""
    sizes: list[int] = []
    words = backbone._loaded().model.get_input_embeddings()
    words.register_forward_hook(lambda layer, given, made: sizes.append(made.shape[1]))
    return sizes


def test_texts_of_one_context_read_it_once_and_score_as_alone(backbone: Transformers) -> None:
    pairs = [(one, other) for one in TEXTS[:2] for other in TEXTS]
    single = [alone(backbone.logprobs(*pair)) for pair in pairs]
    sizes = read_tokens(backbone)
    batched = together(*(backbone.logprobs(*pair) for pair in pairs))
    assert batched == single  # to the bit
    assert all(value <= 0 for values in batched for value in values)
    # A context is read up to its last token, which predicts the first of each text.
    assert sorted(sizes) == sorted([7 - 1, 2 - 1] + [one + 1 for one in (7, 2, 14, 6)] * 2)


def test_a_model_that_looks_back_a_little_way_scores_as_in_one_piece(tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved(tmp_path))
    config = transformers.MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=5,
        initializer_range=0.3,
    )
    torch.manual_seed(1)
    transformers.MistralForCausalLM(config).save_pretrained(tmp_path)
    model, _ = reference(tmp_path)
    context, text = TEXTS[2], TEXTS[0]
    values = alone(Transformers(str(tmp_path), device="cpu").logprobs(context, text))
    whole = tokenizer(f"{context} {text}", return_tensors="pt").input_ids
    with torch.no_grad():
        chances = model(whole, use_cache=False).logits[0, :-1].log_softmax(-1)
    expected = chances.gather(1, whole[0, 1:, None])[-len(values) :, 0].tolist()
    assert values == pytest.approx(expected, abs=1e-5)


def without_attention(size: int) -> Any:
    config = transformers.MambaConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=2, initializer_range=0.3
    )
    return transformers.MambaForCausalLM(config)


def with_positions_by_length(size: int) -> Any:
    config = transformers.Phi3Config(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        original_max_position_embeddings=12,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "short_factor": [1.0] * 8,
            "long_factor": [1.0] * 4 + [4.0] * 4,
            "original_max_position_embeddings": 12,
            "partial_rotary_factor": 1.0,
        },
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,
    )
    return transformers.Phi3ForCausalLM(config)


@pytest.mark.parametrize("made", [without_attention, with_positions_by_length])
def test_a_model_whose_context_cannot_be_kept_scores_as_in_one_piece(
    tmp_path: Path, made: Any
) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(saved(tmp_path))
    torch.manual_seed(1)
    made(len(tokenizer)).save_pretrained(tmp_path)
    model, _ = reference(tmp_path)
    values = alone(Transformers(str(tmp_path), device="cpu").logprobs(TEXTS[2], TEXTS[0]))
    whole = tokenizer(f"{TEXTS[2]} {TEXTS[0]}", return_tensors="pt").input_ids
    with torch.no_grad():
        chances = model(whole).logits[0, :-1].log_softmax(-1)
    expected = chances.gather(1, whole[0, 1:, None])[-len(values) :, 0].tolist()
    assert values == pytest.approx(expected, abs=1e-5)


def test_a_long_context_loses_its_beginning(tiny: Path, backbone: Transformers) -> None:
    model, tokenizer = reference(tiny)
    text = "mild dry cough"
    context = " ".join(["left", *["pain"] * 60, *["chest"] * 100])
    values = alone(backbone.logprobs(context, text))
    window = torch.tensor([tokenizer(f"{context} {text}").input_ids[-WINDOW:]])
    with torch.no_grad():
        chances = model(window).logits[0].log_softmax(-1)
    wanted = [chances[place - 1, window[0, place]].item() for place in range(WINDOW - 3, WINDOW)]
    assert values == pytest.approx(wanted, abs=1e-5)
    assert alone(backbone.logprobs(context, "")) == ()


@pytest.mark.parametrize(
    ("context", "size", "fits"), [("", 128, True), ("", 129, False), ("a", 128, False)]
)
def test_a_text_beyond_the_window_is_this_items_failure(
    backbone: Transformers, context: str, size: int, fits: bool
) -> None:
    work = backbone.logprobs(context, " ".join(["pain"] * size))
    if fits:
        assert len(alone(work)) == size - 1
    else:
        with pytest.raises(AskError, match=f"{size} tokens: its window holds 128"):
            alone(work)


def test_a_text_has_the_tokens_that_it_has_behind_its_context(tmp_path: Path) -> None:
    """SentencePiece puts a space before a text: " C" alone would be a space and a letter."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = saved(tmp_path)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "▁Answer:": 1, "▁C": 2, "▁": 3}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    fast.save_pretrained(folder)
    backbone = Transformers(str(folder), device="cpu")
    assert len(alone(backbone.logprobs("Answer:", " C"))) == 1
    assert len(alone(backbone.logprobs("Answer: C", "C C"))) == 2  # they run into each other


def test_a_tokenizers_own_beginning_is_kept(tmp_path: Path) -> None:
    folder = saved(tmp_path / "begins", bos=True)
    backbone = Transformers(str(folder), device="cpu")
    model, tokenizer = reference(folder)
    whole = tokenizer("mild dry cough", return_tensors="pt").input_ids
    with torch.no_grad():
        loss = model(whole, labels=whole).loss.item()
    values = alone(backbone.logprobs("", "mild dry cough"))
    assert len(values) == 3
    assert sum(values) / 3 == pytest.approx(-loss, abs=1e-5)


def test_greedy_answers_repeat_and_do_not_mind_their_neighbours(
    tiny: Path, backbone: Transformers
) -> None:
    single = [alone(backbone.complete(prompt(text), "k")) for text in TEXTS]
    sizes = passes(backbone)
    assert together(*(backbone.complete(prompt(text), "other") for text in TEXTS)) == single
    assert sizes == [4]
    model, tokenizer = reference(tiny)
    tokens = tokenizer(f"System: say it\n\nUser: {TEXTS[0]}\n\nAssistant:", return_tensors="pt")
    made = model.generate(**tokens, do_sample=False, max_new_tokens=20, pad_token_id=0)
    text = tokenizer.decode(made[0, tokens.input_ids.shape[1] :], skip_special_tokens=True)
    assert single[0].text == text
    assert single[0].input_tokens == tokens.input_ids.shape[1]


def test_samples_follow_their_key_and_not_their_neighbours(backbone: Transformers) -> None:
    keys = [f"key-{number}" for number in range(6)]
    single = [alone(backbone.complete(prompt("no fever", 1.0), key)) for key in keys]
    assert len({one.text for one in single}) == 6
    assert together(*(backbone.complete(prompt("no fever", 1.0), key) for key in keys)) == single


@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.5])
def test_samples_follow_the_models_distribution(tiny: Path, top_p: float) -> None:
    backbone = Transformers(str(tiny), device="cpu", batch_size=256)
    model, tokenizer = reference(tiny)
    size, temperature = 3000, 0.7
    asked = prompt("no", temperature, 1, top_p=top_p)
    found = together(*(backbone.complete(asked, f"key-{n}") for n in range(size)))
    tokens = tokenizer("System: say it\n\nUser: no\n\nAssistant:", return_tensors="pt")
    with torch.no_grad():
        scores = model(**tokens).logits[:, -1] / temperature
        if top_p < 1:  # as transformers has it
            scores = transformers.TopPLogitsWarper(top_p)(None, scores)
        chances = scores[0].softmax(-1)
    if top_p < 1:
        drawn = chances.nonzero().flatten().tolist()
        kept = {tokenizer.decode([token], skip_special_tokens=True) for token in drawn}
        assert {one.text for one in found} <= kept
        assert len(drawn) < len(chances)
    counts = Counter(one.text for one in found)
    for token, chance in enumerate(chances.tolist()):
        if chance > 0.02:
            spread = math.sqrt(size * chance * (1 - chance))
            told = counts[tokenizer.decode([token], skip_special_tokens=True)]
            assert abs(told - size * chance) < 5 * spread


def test_an_answer_without_an_end_is_cut(tiny: Path, backbone: Transformers) -> None:
    from bench.backbones.local.causal import CausalModel

    completion = alone(backbone.complete(prompt("no fever", most=3), "k"))
    assert isinstance(completion, Completion)
    assert (completion.outcome, completion.output_tokens) == ("cut", 3)
    assert completion.finish == "length"
    # Whatever comes first is made the end.
    model = CausalModel(tiny, "cpu", "auto")
    row = model.chat(prompt("no fever").messages)
    backbone._model = model
    model.ends = frozenset(model.generate([row], ["k"], Sampling(0.0, 1))[0])
    completion = alone(backbone.complete(prompt("no fever", most=3), "k"))
    assert (completion.outcome, completion.output_tokens, completion.text) == ("answer", 1, "")
    assert completion.finish == "stop"


def test_an_answer_ends_where_the_window_does(backbone: Transformers) -> None:
    short, long = prompt("no", most=4096), prompt(" ".join(["pain"] * 100), most=4096)
    both = together(backbone.complete(short, "a"), backbone.complete(long, "b"))
    assert [alone(backbone.complete(one, "x")) for one in (short, long)] == both
    for one in both:
        assert (
            one.outcome == "answer" or WINDOW - 8 <= one.input_tokens + one.output_tokens <= WINDOW
        )


def test_a_prompt_beyond_the_window_fails_alone(backbone: Transformers) -> None:
    found = together(
        backbone.complete(prompt("no fever"), "a"),
        backbone.complete(prompt(" ".join(["pain"] * 200)), "b"),
    )
    assert isinstance(found[0], Completion)
    assert isinstance(found[1], AskError) and found[1].outcome == "error"
    assert "prompt of 208 tokens: its window holds 128" in str(found[1])


def test_a_failing_batch_is_tried_one_by_one(backbone: Transformers) -> None:
    """A row of a token that the embedding lacks breaks its batch as want of memory would."""
    model = backbone._loaded()
    inner = model.chat
    model.chat = lambda messages: (  # type: ignore[method-assign]
        [10**6] if "ten" in messages[-1].content else inner(messages)
    )
    sizes = passes(backbone)
    found = together(*(backbone.complete(prompt(one), "k") for one in (*TEXTS, "two")))
    assert sizes == [5, 1, 1, 1, 1, 1]
    assert [type(one) for one in found] == [
        Completion,
        Completion,
        AskError,
        Completion,
        Completion,
    ]
    assert "failed on a row of 1 tokens" in str(found[2])


def test_batches_hold_one_setting_and_no_more_than_their_size(tiny: Path) -> None:
    backbone = Transformers(str(tiny), device="cpu", batch_size=3)
    sizes = passes(backbone)
    asked = [prompt(TEXTS[n % 4], temperature=n % 2) for n in range(10)]
    found = together(*(backbone.complete(one, str(n)) for n, one in enumerate(asked)))
    assert all(isinstance(one, Completion) for one in found)
    assert sorted(sizes) == [2, 2, 3, 3]
    alone(backbone.close())


def test_chat_templates_are_obeyed(tmp_path: Path) -> None:
    backbone = Transformers(str(saved(tmp_path / "chat", template=TEMPLATE)), device="cpu")
    model = backbone._loaded()
    said = model.words(model.chat([Message("user", "one"), Message("user", "two")]))
    assert said == "user : one two . assistant :"
    # This one knows no system role: it is said by the user.
    said = model.words(model.chat(prompt("two").messages))
    assert said == "user : say it two . assistant :"


def test_special_tokens_are_said_only_where_they_tell_thinking(tmp_path: Path) -> None:
    folder = saved(tmp_path / "thinks")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    marks = ["[THINK]", "[/THINK]", "<|channel|>", "<|message|>", "<|end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": [*marks, "<|tool|>"]})
    tokenizer.save_pretrained(folder)
    model = Transformers(str(folder), device="cpu")._loaded()
    said = "<s>[THINK]no pain[/THINK]<|tool|>mild cough</s>"
    text = model.words(model.text(said))
    assert text.split() == ["[THINK]", "no", "pain", "[/THINK]", "mild", "cough"]
    assert without_thinking(text) == "mild cough"


def test_the_version_follows_content_and_not_place(tmp_path: Path, tiny: Path) -> None:
    moved = shutil.copytree(tiny, tmp_path / "elsewhere" / "tiny")
    first, second = Transformers(str(tiny)), Transformers(f"{moved}/")
    assert (
        (first.name, first.version) == (second.name, second.version) == ("hf/tiny", identity(tiny))
    )
    assert Transformers(str(tiny), dtype="bfloat16").version != first.version
    assert identity(saved(tmp_path / "other", seed=1)) != first.version
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "n_head": 4}))
    assert identity(moved) != first.version


def test_what_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="neither a folder nor found on the Hugging Face hub"):
        Transformers("nobody/no-such-model")
    with pytest.raises(UserError, match="neither a folder nor found"):
        Transformers("no/such/folder")
    with pytest.raises(UserError, match="holds no model"):
        Transformers(str(tmp_path))
    with pytest.raises(UserError, match="lacks a model"):
        Transformers("")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    broken = Transformers(str(tmp_path))
    with pytest.raises(UserError, match="cannot be loaded"):
        alone(broken.logprobs("a", "b"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_device_that_is_not_there_ends_the_run(tiny: Path) -> None:
    with pytest.raises(UserError, match=r"hf/tiny cannot be loaded: .*CUDA"):
        alone(Transformers(str(tiny), device="cuda").complete(prompt("no"), "k"))


@pytest.mark.parametrize(
    "fault", [ImportError("tokenizer needs\nsentencepiece"), AssertionError(), TypeError("x")]
)
def test_what_cannot_be_loaded_is_tried_once(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    tries: list[str] = []

    def breaks(folder: Path, device: str, dtype: str) -> None:
        tries.append(device)
        raise fault

    monkeypatch.setattr("bench.backbones.local.causal.CausalModel", breaks)
    backbone = Transformers(str(tiny), device="cpu")
    found = together(*(backbone.complete(prompt(one), "k") for one in TEXTS))
    assert {type(one) for one in found} == {UserError}
    assert "\n" not in str(found[0]) and not str(found[0]).endswith(": ")
    assert tries == ["cpu"]


def test_a_missing_extra_is_one_sentence(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.backbones.weights.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'patient-zero-bench\[local\]'"):
        Transformers(str(tiny))


def test_an_answer_that_nobody_waits_for_ends(backbone: Transformers) -> None:
    async def given_up() -> None:
        work = asyncio.create_task(backbone.complete(prompt("no fever", most=100), "k"))
        while not steps:
            await asyncio.sleep(0.001)
        work.cancel()
        while backbone._worker is not None and not backbone._worker.done():
            await asyncio.sleep(0.01)

    steps: list[int] = []
    words = backbone._loaded().model.get_input_embeddings()
    backbone._loaded().ends = frozenset()

    def step(layer: Any, given: Any, made: Any) -> None:
        steps.append(made.shape[1])
        time.sleep(0.02)

    words.register_forward_hook(step)
    asyncio.run(given_up())
    assert 0 < len(steps) < 50
