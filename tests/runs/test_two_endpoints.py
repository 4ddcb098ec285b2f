"""Several endpoints, one run: whose key, whose answers, and who it was that answered."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import KEY, Ended, experiment, inside, whole_text
from openai_server import OpenAIServer, Seen

OTHER_KEY = "other-secret-9876543210"
KEYS = {"HERE_KEY": KEY, "THERE_KEY": OTHER_KEY}


@pytest.fixture
def other_server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four records by the stand-in."""
    folder = tmp_path_factory.mktemp("records")
    file = experiment(folder / "made.yaml", methods=["direct"], metrics=[], tables=[])
    assert inside("run", file, "--out", folder / "made").code == 0
    return folder / "made/items/generate/rules/direct.jsonl"


def scored(records: Path, out: Path, *more: object, **variables: str) -> Ended:
    return inside("score", records, "-m", "accuracy", "--out", out, *more, **KEYS, **variables)


def manifest(run: Path) -> dict[str, dict[str, Any]]:
    roles = json.loads((run / "manifest.json").read_text("utf-8"))["roles"]
    return {role["label"]: role for role in roles}


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "tables/rows.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_endpoint_gets_its_own_key_and_no_other(
    openai_server: OpenAIServer, other_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    openai_server.key, other_server.key = KEY, OTHER_KEY
    run = tmp_path / "run"
    ended = scored(
        records,
        run,
        *("--judge", f"openai/m:base_url={openai_server.url},api_key_env=HERE_KEY,as=here"),
        *("--judge", f"openai/m:base_url={other_server.url},api_key_env=THERE_KEY,as=there"),
        OPENAI_API_KEY="sk-of-openai-alone-0000",
    )
    assert ended.code == 0, ended
    for server, own in ((openai_server, KEY), (other_server, OTHER_KEY)):
        sent = [str((one.headers, one.body)) for one in server.seen]
        assert len(sent) == 4
        assert all(own in one for one in sent)
        others = {*KEYS.values(), "sk-of-openai-alone-0000"} - {own}
        assert not any(key in one for key in others for one in sent)
    hosts = [f"127.0.0.1:{server.port}" for server in (openai_server, other_server)]
    for name, content in whole_text(run):
        assert not any(key.encode() in content for key in KEYS.values()), name
        if not name.endswith("experiment.yaml"):
            assert not any(host.encode() in content for host in hosts), name
    assert not any(host in ended.out + ended.err for host in hosts)


def test_an_address_of_an_experiment_gets_no_key_that_it_does_not_name(
    openai_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    judge = {"name": "openai/m", "base_url": openai_server.url}
    file = experiment(
        tmp_path / "foreign.yaml",
        roles={"judge": judge},
        read={"file": str(records)},
        generate=None,
        metrics=["accuracy"],
        tables=["rows"],
    )
    ended = inside("run", file, "--out", tmp_path / "run", OPENAI_API_KEY=KEY)
    assert ended.code == 0, ended
    assert openai_server.seen
    assert not any(KEY in str(one.headers) for one in openai_server.seen)


def test_answers_of_another_address_are_not_taken_in_silence(
    openai_server: OpenAIServer, other_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared.sqlite"

    def judged(server: OpenAIServer, out: str, *more: object) -> Ended:
        judge = ("--judge", f"openai/m:base_url={server.url}")
        return scored(records, tmp_path / out, *judge, "--journal", shared, *more)

    assert judged(openai_server, "first").code == 0
    said = judged(other_server, "second").error
    assert "--same-model" in said and "`as:`" in said
    assert not other_server.seen
    assert judged(other_server, "third", "--same-model").code == 0
    assert not other_server.seen
    assert manifest(tmp_path / "third")["openai/m"]["replayed"] == 4
    # A label is a name of its own, wherever it is asked.
    for server, out, asked in ((other_server, "fourth", 4), (openai_server, "fifth", 4)):
        labelled = ("--judge", f"openai/m:base_url={server.url},as=mine")
        assert scored(records, tmp_path / out, *labelled, "--journal", shared).code == 0
        assert len(server.seen) == asked


def test_another_model_than_asked_is_told_everywhere(
    openai_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ended = scored(records, run, "--judge", f"openai/m-large:base_url={openai_server.url}")
    served = "m-large-0001"  # a dated copy
    assert manifest(run)["openai/m-large"]["served"] == {served: 4}
    labelled = ("--judge", f"openai/m-large:base_url={openai_server.url},as=large")
    for said in (ended.err, scored(records, tmp_path / "labelled", *labelled).err):
        assert served not in said
    openai_server.seen.clear()

    def other(seen: Seen) -> str:
        return "m-small" if seen.index % 2 else "m-large"

    openai_server.names = other
    run = tmp_path / "mixed"
    ended = scored(records, run, "--judge", f"openai/m-large:base_url={openai_server.url},as=mixed")
    told = manifest(run)["mixed"]
    assert told["served"] == Counter(map(other, list(openai_server.seen)))
    (note,) = told["notes"]
    assert note in " ".join(ended.err.split())
    assert all(note in row["notes"] for row in rows(run))
    assert "m-small" in (run / "results.csv").read_text("utf-8")
    assert "m-small" in ended.out


def test_answers_that_had_to_be_asked_again_are_counted(
    openai_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    first = 2
    openai_server.fail("wrong-schema", times=first, when=lambda seen: "not valid" not in seen.words)
    run = tmp_path / "run"
    command = ("--judge", f"openai/m:base_url={openai_server.url}", "--at-once", 1)
    ended = scored(records, run, *command)
    assert ended.code == 0, ended
    told = manifest(run)["openai/m"]
    assert (told["asks"], told["repaired"], told["asked"]) == (4, first, 6)
    assert "2 of 4 answers (50.0%)" in ended.err
    assert all("2 of 4 answers" in row["notes"] for row in rows(run))
    before = (run / "results.csv").read_bytes()
    assert scored(records, run, *command).code == 0  # replayed, they count alike
    assert (run / "results.csv").read_bytes() == before


def test_counts_do_not_depend_on_what_was_forgotten(
    openai_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    openai_server.fail("refusal", times=1)
    openai_server.names = lambda seen: "m-broken" if seen.index == 0 else "m"
    run = tmp_path / "run"
    command = ("--judge", f"openai/m:base_url={openai_server.url}")
    assert scored(records, run, *command).code == 3
    assert "m-broken" in manifest(run)["openai/m"]["served"]
    assert scored(records, run, *command, "--retry-failed").code == 0
    again = (run / "results.csv").read_bytes()
    assert manifest(run)["openai/m"]["served"] == {"m": 4}
    assert scored(records, run, *command).code == 0
    assert (run / "results.csv").read_bytes() == again


def test_how_requests_had_to_be_put_is_told_of_replayed_answers_too(
    openai_server: OpenAIServer, records: Path, tmp_path: Path
) -> None:
    openai_server.fail(
        "status", status=400, message="no temperature", when=lambda seen: "temperature" in seen.body
    )
    run = tmp_path / "run"
    command = ("--judge", f"openai/m:base_url={openai_server.url}")
    for _ in range(2):
        ended = scored(records, run, *command)
        assert ended.code == 0
        told = manifest(run)["openai/m"]
        assert told["shapes"] == {"json bounded, no temperature": 4}
        assert any("temperature" in note for note in told["notes"])
        assert all("temperature" in row["notes"] for row in rows(run))


@pytest.mark.parametrize(
    "option",
    [f"api_key_env={KEY}", f"base_url='http://me:{KEY}@x/v1'", f"base_url='http://x?k={KEY}'"],
)
def test_a_key_in_the_wrong_place_is_not_kept(records: Path, tmp_path: Path, option: str) -> None:
    run = tmp_path / "run"
    said = scored(records, run, "--judge", f"openai/m:{option}").error
    assert KEY not in said
    assert not any(KEY.encode() in content for _, content in whole_text(run))
