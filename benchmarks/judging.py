"""Judging records beside the bare openai client: the same endpoint, machine and minutes.

A server in a process of its own answers each request after 200 ms with a verdict of 0.9 KB. It is
asked 2,000 prompts of 13.5 KB over 64 connections by the bare client (the openai client with the
aiohttp transport, which only sends and reads) and by the accuracy metric (records read, prompts
rendered, answers kept in a journal and checked). Each has a process of its own, in turns.

Wall is from the first item to the last answer. CPU is the whole process's; "net" leaves out what it
spent before the first item (imports, settings). The metric's first turn finds no parsed outlines.
"""

import asyncio
import gc
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.corpus import note

REQUESTS = 2_000
CONNECTIONS = 64
SECONDS = 0.2
TURNS = 5
PROMPT = 13_500
WALL = 1.1
CPU = 1.5
_SECTIONS = ("basic_information", "epidemiology", "disease_information", "examination_results")


def verdict() -> str:
    """What every request is answered with."""
    reasons = "Every statement was compared with the outline and the rest of the record. " * 2
    sections = {name: {"reasons": reasons.strip(), "aligned": True} for name in _SECTIONS}
    return json.dumps(sections)


# The server


def serve() -> None:
    """Answer for ever, on a port that is printed."""
    from aiohttp import web

    message = {"role": "assistant", "content": verdict()}
    completion = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "judge",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3_000, "completion_tokens": 200, "total_tokens": 3_200},
    }
    body = json.dumps(completion).encode()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(SECONDS)
        return web.Response(body=body, content_type="application/json")

    async def listen() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(listen())


@contextmanager
def server() -> Iterator[str]:
    """The address of a server that lives as long as the block."""
    command = [sys.executable, "-m", "benchmarks.judging", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


# The two clients


Client = tuple[Callable[[], Awaitable[int]], Callable[[], Awaitable[None]]]
"""What asks everything and gives the number answered, and what ends it."""


def bare(address: str, folder: Path) -> Client:
    """The openai client alone; the prompts are at hand."""
    import openai

    client = openai.AsyncOpenAI(
        api_key="none", base_url=address, http_client=openai.DefaultAioHttpClient()
    )
    words = note(random.Random(1), 2_000, 2_500)[: PROMPT - 10]
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    numbers = iter(range(REQUESTS))
    answered = 0

    async def connection() -> None:
        nonlocal answered
        for number in numbers:
            completion = await client.chat.completions.create(
                model="judge",
                messages=[{"role": "user", "content": f"{number:09} {words}"}],
                temperature=0,
                max_tokens=4096,
                response_format={"type": "json_schema", "json_schema": schema},
            )
            answered += bool(completion.choices[0].message.content)

    async def ask() -> int:
        await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
        return answered

    return ask, client.close


def metric(address: str, folder: Path) -> Client:
    """The accuracy metric, as `pzbench` runs it."""
    import openai  # noqa: F401  # the product does so later, within the time that is taken

    from bench.api.context import Context
    from bench.api.item import Items
    from bench.backbones.openai.backbone import OpenAI
    from bench.backbones.respondent import Limit, Respondent
    from bench.journal.journal import Journal
    from bench.knowledge.library import Library
    from bench.records.record_files import RecordFile
    from bench.scoring.evaluations import evaluate
    from metrics.accuracy import Accuracy

    gc.set_threshold(50_000)  # as the console script does
    journal = Journal.open(folder / f"journal-{os.getpid()}.sqlite")
    backbone = OpenAI("judge", base_url=address)
    judge = Respondent("judge", backbone, journal, limit=Limit(CONNECTIONS))
    context = Context(
        journal=journal,
        outlines=Library(),
        roles={"judge": judge},
        at_once=2 * CONNECTIONS,
    )

    accuracy: Any = Accuracy()

    async def ask() -> int:
        items = Items(RecordFile(folder / "records.jsonl"))
        return len([None async for given in evaluate(accuracy, items, context) if given.values])

    async def close() -> None:
        await backbone.close()
        await journal.close()

    return ask, close


async def measure(client: str, address: str, folder: Path) -> dict[str, float]:
    """Wall and CPU seconds of one client."""
    ask, close = {"bare": bare, "metric": metric}[client](address, folder)
    start, before = time.perf_counter(), time.process_time()
    answered = await ask()
    wall = time.perf_counter() - start
    await close()
    cpu = time.process_time()
    if answered != REQUESTS:
        raise RuntimeError(f"{client}: {answered} of {REQUESTS} answered")
    return {"wall": wall, "cpu": cpu, "net": cpu - before}


# The comparison


def write_inputs(folder: Path) -> None:
    """The schema of a verdict, and records whose prompts have the length wanted."""
    from bench.backbones.requests import Verdict
    from bench.backbones.structured import strict_schema
    from bench.knowledge.cases import plan
    from bench.knowledge.description import describe
    from bench.knowledge.library import Library
    from bench.records.record import PatientRecord
    from bench.records.record_files import write_records

    schema = {"name": "Verdict", "strict": True, "schema": strict_schema(Verdict)}
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    library = Library()
    draw = random.Random(1)
    each = -(-REQUESTS // len(library.departments))

    def record(case: Any) -> PatientRecord:
        outline = library.get(case.disease)
        room = PROMPT - len(describe(outline)) - 900
        lines = note(draw, 250, 450)[: max(room, 200)].splitlines()
        quarter = -(-len(lines) // 4)
        history, life, symptoms, findings = (
            lines[start : start + quarter] for start in range(0, 4 * quarter, quarter)
        )
        return PatientRecord.model_validate(
            {
                "id": case.id,
                "department": case.department,
                "basic_information": {"name": "A", "gender": case.gender, "age": case.age},
                "epidemiology": {
                    "medical_history": history,
                    "lifestyle": life,
                    "vaccination_history": (),
                    "family_history": (),
                },
                "disease_information": {"disease": case.disease, "symptoms": symptoms},
                "examination_results": [
                    {"category": "physical", "test": f"Test {place}", "finding": finding}
                    for place, finding in enumerate(findings)
                ],
            }
        )

    cases = list(plan(library, library.departments, each, seed=1))[:REQUESTS]
    write_records(folder / "records.jsonl", map(record, cases))


def run(client: str, address: str, folder: Path) -> dict[str, float]:
    """One turn of a client in a process of its own, with caches of their own."""
    command = [sys.executable, "-m", "benchmarks.judging", client, address, str(folder)]
    caches = {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPYCACHEPREFIX": str(folder / "code")}
    environment = {**os.environ, **caches, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Print the medians of both and their ratios."""
    with tempfile.TemporaryDirectory() as name, server() as address:
        folder = Path(name)
        write_inputs(folder)
        run("bare", address, folder)  # Python's own cache
        first = run("metric", address, folder)
        turns = [
            (run("bare", address, folder), run("metric", address, folder)) for _ in range(TURNS)
        ]
    ideal = REQUESTS * SECONDS / CONNECTIONS
    print(f"{REQUESTS:,} judge prompts, {CONNECTIONS} connections; ideal wall {ideal:.2f} s")
    medians = {}
    for place, client in enumerate(("bare", "metric")):
        figures = {key: statistics.median(turn[place][key] for turn in turns) for key in first}
        medians[client] = figures
        _line(client, figures)
    _line("metric, first run", first)
    for key, goal in (("wall", WALL), ("cpu", CPU), ("net", CPU)):
        ratio = medians["metric"][key] / medians["bare"][key]
        met = "met" if ratio <= goal else "MISSED"
        print(f"ratio of {key:<5}{ratio:6.2f} (goal {goal}: {met})")


def _line(name: str, figures: dict[str, float]) -> None:
    print(
        f"{name:<18} wall {figures['wall']:6.2f} s   CPU {figures['cpu']:6.2f} s"
        f"   net {figures['net'] / REQUESTS * 1e3:5.2f} ms a request"
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["serve"]:
            serve()
        case [client, address, folder]:
            print(json.dumps(asyncio.run(measure(client, address, Path(folder)))))
