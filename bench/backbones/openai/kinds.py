"""The providers as kinds of backbones: what each needs beside its line in the table."""

import os
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.openai.providers import PROVIDERS, key_for, key_in, place_of
from bench.core.errors import UserError

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenRouter(OpenAI):
    """OpenRouter."""

    provider = PROVIDERS["openrouter"]


class Together(OpenAI):
    """Together AI."""

    provider = PROVIDERS["together"]


class Groq(OpenAI):
    """Groq."""

    provider = PROVIDERS["groq"]


class Mistral(OpenAI):
    """Mistral's own platform."""

    provider = PROVIDERS["mistral"]


class DeepSeek(OpenAI):
    """DeepSeek's own platform."""

    provider = PROVIDERS["deepseek"]


class Anthropic(OpenAI):
    """Anthropic's endpoint that is compatible with OpenAI's."""

    provider = PROVIDERS["anthropic"]


class Gemini(OpenAI):
    """Google's Gemini API, the endpoint that is compatible with OpenAI's."""

    provider = PROVIDERS["gemini"]


class Ollama(OpenAI):
    """Ollama on this machine, or at a base_url."""

    provider = PROVIDERS["ollama"]


class Vllm(OpenAI):
    """vLLM on this machine, or at a base_url."""

    provider = PROVIDERS["vllm"]


class Azure(OpenAI):
    """An Azure deployment of a model."""

    provider = PROVIDERS["azure"]
    alias = True

    def __init__(
        self, deployment: str, *, api_version: date | str | None = None, **options: Any
    ) -> None:
        """Name a deployment.

        Args:
            deployment: Its name in the resource.
            api_version: For instance 2024-10-21; or OPENAI_API_VERSION.
            options: As for OpenAI; base_url is https://<resource>.openai.azure.com, or
                AZURE_OPENAI_ENDPOINT.

        Raises:
            UserError: an option has no sense.
        """
        super().__init__(deployment, **options)
        self._api_version = str(api_version or "")  # YAML takes it for a date

    @property
    def _advice(self) -> str:
        return "check the deployment's name, AZURE_OPENAI_API_KEY, the base_url and API version"

    def _connect(self) -> "AsyncOpenAI":
        place = self._place = place_of(self.provider, self._base_url)
        version = self._api_version or os.environ.get("OPENAI_API_VERSION", "").strip()
        named = self._key_env or self.provider.key
        if place.source == "base_url" and not self._key_env and os.environ.get(named):
            raise UserError(
                f"{self.name}: an address in base_url gets no key by itself: set api_key_env to "
                f"{named} if the resource is yours."
            )
        needed = {
            named: key_in(named),
            "AZURE_OPENAI_ENDPOINT": place.address,
            "OPENAI_API_VERSION": version,
        }
        missing = [variable for variable, value in needed.items() if not value]
        if missing:
            raise UserError(
                f"{self.name} needs settings: set the environment variables {', '.join(missing)}."
            )
        self._secret = key_for(self.name, self.provider, place, self._key_env)
        at = f"{place.address}/openai/deployments/{quote(self._model, safe='')}"
        return self._client_at(at, **{"api-version": version})

    async def _bearing(self) -> dict[str, str]:
        return {"api-key": self._secret}
