"""Who speaks the protocol, where, and whose key goes where.

A key goes only to the host it belongs to. A provider's own address gets the provider's key, and so
does the one address that a user's environment may name. An address among the options comes from an
experiment that somebody else may have written: it gets a key only at the provider's own host, or
where `api_key_env` names the variable, and over plain HTTP only at home.
"""

import os
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from bench.backbones.openai.said import LEAST_SECRET
from bench.core.errors import UserError


@dataclass(frozen=True)
class Provider:
    """One who serves models behind the chat-completions protocol."""

    kind: str
    """What stands before the slash: "groq"."""
    address: str
    """Base URL; empty if every user has another."""
    key: str = ""
    """Environment variable of the key; empty if none is wanted."""
    example: str = "MODEL"
    """A model, for errors."""
    address_env: str = ""
    """Environment variable of another base URL; empty if there is none."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers with their environment variables, sent to the own host alone."""

    @property
    def host(self) -> str:
        """Host of the address, whose subdomains are the provider's too."""
        return urlsplit(self.address).hostname or ""

    def owns(self, address: str) -> bool:
        """Whether a normalised base URL is this provider's."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        named = bool(self.host) and (host == self.host or host.endswith(f".{self.host}"))
        return bool(address) and (address == self.address or (named and parts.scheme == "https"))

    def own_headers(self) -> dict[str, str]:
        """The further headers, as far as the environment has them."""
        found = {name: os.environ.get(variable, "").strip() for name, variable in self.headers}
        return {name: value for name, value in found.items() if value.isascii() and value}


PROVIDERS = {
    one.kind: one
    for one in (
        Provider(
            "openai",
            "https://api.openai.com/v1",
            "OPENAI_API_KEY",
            "gpt-4o-2024-08-06",
            "OPENAI_BASE_URL",
            (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")),
        ),
        Provider("azure", "", "AZURE_OPENAI_API_KEY", "my-deployment", "AZURE_OPENAI_ENDPOINT"),
        Provider("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        Provider("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        Provider("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        Provider("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        Provider("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        Provider("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        Provider(
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
        ),
        Provider("vertex", "", "", "google/gemini-2.5-flash"),
        Provider("ollama", "http://localhost:11434/v1"),
        Provider("vllm", "http://localhost:8000/v1", "VLLM_API_KEY"),
    )
}


@dataclass(frozen=True)
class Place:
    """Where a backbone is asked."""

    address: str
    """Normalised base URL; empty if there is none yet."""
    source: str
    """What says so: "base_url", an environment variable, or nothing for the provider's own."""
    own: bool
    """Whether it is the provider's own."""

    @property
    def shown(self) -> str:
        """The address for messages, which name no inner host."""
        if self.own or _at_home(self.address, loopback=True):
            return self.address
        return f"the address in {self.source}"

    @property
    def hidden(self) -> str:
        """The host that no message may name; empty if any may."""
        return "" if self.shown == self.address else urlsplit(self.address).hostname or ""


def place_of(provider: Provider, base_url: str | None) -> Place:
    """Where a provider is asked: at the option, else where the environment says, else at home.

    Raises:
        UserError: the address has no sense.
    """
    if base_url is not None:
        address = normalised(base_url)
        return Place(address, "base_url", provider.owns(address))
    if provider.address_env and (given := os.environ.get(provider.address_env, "").strip()):
        address = normalised(given)
        return Place(address, provider.address_env, provider.owns(address))
    return Place(provider.address, provider.address_env, bool(provider.address))


def key_for(name: str, provider: Provider, place: Place, named: str | None) -> str:
    """The key that goes to a place; empty for none.

    Args:
        name: The backbone's, for errors.
        provider: Whose backbone it is.
        place: Where it is asked.
        named: Environment variable that the user names for this place.

    Raises:
        UserError: a key is needed or named and there is none, or it would go out in the open.
    """
    if named is None and (not provider.key or (place.source == "base_url" and not place.own)):
        return ""
    variable = named or provider.key
    key = key_in(variable)
    if named and not key:
        raise UserError(f"{name}: api_key_env names {named}, which is not set or is empty.")
    encrypted = place.address.startswith("https:")
    if not key and place.own and encrypted:
        raise UserError(
            f"{name} needs an API key: set the environment variable {variable} (or "
            "base_url to a server of your own)."
        )
    if len(key) >= LEAST_SECRET and not encrypted and not _at_home(place.address):
        raise UserError(
            f"{name}: the key of {variable} would go over plain http to another's host: "
            f"{place.source} must begin with https:// there."
        )
    return key


def variable(name: str) -> str:
    """The name of an environment variable.

    Raises:
        UserError: it is none; what it is, is not told, for it may be the key.
    """
    if not re.fullmatch("[A-Z_][A-Z0-9_]*", name):
        raise UserError(
            "api_key_env is the name of an environment variable in capitals, for instance "
            "MY_API_KEY, not the key itself."
        )
    return name


def key_in(name: str) -> str:
    """The key in an environment variable; empty without.

    Raises:
        UserError: no HTTP header can bear it.
    """
    key = os.environ.get(name, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UserError(f"{name} holds characters that no key has: set it again.")
    return key


def normalised(address: str) -> str:
    """A base URL as it is compared: lower-case host, no default port, no slash at the end.

    Raises:
        UserError: it is none, or holds a password (which would be shown in errors).
    """
    try:
        parts = urlsplit(address.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, port = "", None
    # Of what no host holds some clients make another host.
    is_host = re.fullmatch(r"[\w.-]+|[\da-f:.]+(%[\w.-]+)?", host)
    if not is_host or parts.scheme not in ("http", "https"):
        raise UserError("The base URL must begin with http:// or https:// and name a host.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            "The base URL must hold no user, password or query: give a key in the environment."
        )
    at = f"[{host}]" if ":" in host else host
    if port not in (None, {"http": 80, "https": 443}[parts.scheme]):
        at += f":{port}"
    return f"{parts.scheme}://{at}{parts.path.rstrip('/')}"


def _at_home(address: str, *, loopback: bool = False) -> bool:
    """Whether a host is this machine or one near it: nothing in between reads along."""
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    found = _number(host)
    if found is not None:
        return found.is_loopback or (found.is_private and not loopback)
    return bool(host) and "." not in host and not loopback


def _number(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, if it is no name: 2130706433 is 127.0.0.1."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ip_address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
