"""A backbone that answers each kind of task by a function of the test's own, as a plug-in would."""

from collections.abc import Callable
from typing import Any, Literal

from bench.backbones.prompt import AskError, Completion, Prompt

Script = Callable[[Any], Any]


class Scripted:
    """Answers tasks by kind; what has no script is refused, as an endpoint would."""

    version = ""
    endpoint = "script"
    reads: Literal["request"] = "request"

    def __init__(self, name: str = "scripted", **scripts: Script) -> None:
        self.name = name
        self.prompts: list[Prompt[Any]] = []
        self._scripts = scripts

    def asked(self, kind: str) -> list[Any]:
        """The tasks of a kind that were asked, in order."""
        return [prompt.request for prompt in self.prompts if prompt.request.kind == kind]

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        self.prompts.append(prompt)
        script = self._scripts.get(prompt.request.kind)
        if script is None:
            raise AskError(f"no script for {prompt.request.kind}")
        made = script(prompt.request)
        if isinstance(made, Completion):
            return made
        return Completion(text=made if isinstance(made, str) else made.model_dump_json())

    async def close(self) -> None:
        """Nothing is held."""
