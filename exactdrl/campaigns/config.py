"""The campaign's configuration: a small TOML file, refused where it is not exactly of this form.

```toml
version = 1
verify = false      # every run is checked by the stand-alone checker
keep_runs = false   # instances and certificates are kept

[limits]
max_steps = 100000
seconds = 600

[[problems]]        # every combination of widths, samples, bits and rules, with each seed
widths = [[4, 5, 4, 3, 2, 1]]
samples = [100]
bits = [53]
rules = ["reference"]
losses = ["absolute"]       # or pinball:1/4, hinge, linear, two-slope:-1,2
activations = ["relu"]      # or leaky:1/10, abs, identity, -1/2,1
first_seed = 0
seeds = 35
```
"""

import hashlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TypeVar

from exactdrl.campaigns.case import DEFAULT_ACTIVATION, DEFAULT_LOSS, DEFAULT_RULE, Case, Limits
from exactdrl.doors.sample import DOUBLE_BITS
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.names import ACTIVATION_NAMES, LOSS_NAMES, parse_activation, parse_loss
from exactdrl.walks.rules import RULES

VERSION = 1
_KEYS = ("widths", "samples", "bits", "rules", "losses", "activations")
# Names of files and the summary's tables stay readable, and no typing error fills a disk
MAX_RUNS = 100_000
_MAX_WIDTH = 1000
_MAX_SAMPLES = 10_000_000
_MAX_LAYERS = 100
_MAX_SEED = 2**63 - 1
_MAX_SECONDS = 10**8
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a configuration means.

    Attributes:
        cases: the runs, each once, in the order of the table.
        limits: of each run.
        verify: whether each finished run is checked by the stand-alone checker.
        keep_runs: whether instances and certificates are kept.
    """

    cases: tuple[Case, ...]
    limits: Limits
    verify: bool
    keep_runs: bool

    def with_options(self, *, verify: bool, keep_runs: bool) -> "Campaign":
        """Returns the campaign with more asked of each run; what the configuration asks stays."""
        return replace(self, verify=self.verify or verify, keep_runs=self.keep_runs or keep_runs)

    def to_json(self) -> dict[str, object]:
        """Returns what decides the results, as a JSON object."""
        return {
            "version": VERSION,
            "verify": self.verify,
            "keep_runs": self.keep_runs,
            "limits": {"max_steps": self.limits.max_steps, "seconds": self.limits.seconds},
            "cases": [case.to_json() for case in self.cases],
        }

    @property
    def digest(self) -> str:
        """Returns the SHA-256 of the meaning: comments and order of keys in the file do not count."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def default_config() -> str:
    """Returns the text of the configuration that is shipped: the published statement "always similar", tried."""
    return (files("exactdrl.campaigns") / "default.toml").read_text(encoding="utf-8")


def read_config(path: Path) -> Campaign:
    """Returns the campaign that a TOML file describes.

    Raises:
        InputError: the file cannot be read, or is not of the form; the message names the file, the place and the value.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8") from None
    return parse_config(text, str(path))


def parse_config(text: str, place: str) -> Campaign:
    """Returns the campaign that a TOML text describes.

    Args:
        text: the file's content.
        place: how messages name the file.

    Raises:
        InputError: it is not of the form; the message names the place and the value.
    """
    try:
        top = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{place}: not TOML: {error}") from None
    try:
        return _to_campaign(top)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _to_campaign(top: dict[str, object]) -> Campaign:
    _refuse_unknown(top, "", ("version", "verify", "keep_runs", "limits", "problems"))
    if _integer(top.get("version"), "version", 0, 10**9) != VERSION:
        raise InputError(f"version is {shown(top.get('version'))}, this program reads version {VERSION}")
    limits = top.get("limits", {})
    if not isinstance(limits, dict):
        raise InputError(f"limits is {shown(limits)}, a table is needed")
    _refuse_unknown(limits, "limits: ", ("max_steps", "seconds"))
    problems = top.get("problems")
    if not isinstance(problems, list) or not problems:
        raise InputError("problems: at least one table [[problems]] is needed")
    cases: dict[Case, str] = {}
    for index, problem in enumerate(problems):
        place = f"problems[{index}]"
        if not isinstance(problem, dict):
            raise InputError(f"{place} is {shown(problem)}, a table is needed")
        for case in _to_cases(problem, place, MAX_RUNS - len(cases)):
            if case in cases:
                raise InputError(f"{place}: the run {case.name} is in {cases[case]} already")
            cases[case] = place
    return Campaign(
        tuple(cases),
        Limits(
            _optional(limits, "max_steps", "limits.max_steps", 0, 10**9),
            _optional(limits, "seconds", "limits.seconds", 1, _MAX_SECONDS),
        ),
        _boolean(top.get("verify", False), "verify"),
        _boolean(top.get("keep_runs", False), "keep_runs"),
    )


def _to_cases(problem: dict[str, object], place: str, room: int) -> list[Case]:
    _refuse_unknown(problem, f"{place}: ", (*_KEYS, "first_seed", "seeds"))
    for key in ("widths", "samples", "seeds"):
        if key not in problem:
            raise InputError(f"{place}: key {key!r} is missing")
    widths = _several(problem["widths"], f"{place}.widths", _widths)
    samples = _several(problem["samples"], f"{place}.samples", lambda value, at: _integer(value, at, 1, _MAX_SAMPLES))
    bits = _several(
        problem.get("bits", [DOUBLE_BITS]), f"{place}.bits", lambda value, at: _integer(value, at, 1, DOUBLE_BITS)
    )
    rules = _several(problem.get("rules", [DEFAULT_RULE]), f"{place}.rules", _rule)
    first = _integer(problem.get("first_seed", 0), f"{place}.first_seed", 0, _MAX_SEED)
    seeds = _integer(problem["seeds"], f"{place}.seeds", 1, _MAX_SEED)
    losses = _several(problem.get("losses", [DEFAULT_LOSS]), f"{place}.losses", _loss)
    activations = _several(problem.get("activations", [DEFAULT_ACTIVATION]), f"{place}.activations", _activation)
    if len(widths) * len(samples) * len(bits) * len(rules) * len(losses) * len(activations) * seeds > room:
        raise InputError(f"{place}: more than {MAX_RUNS} runs in all")
    combinations = product(widths, samples, bits, rules, range(first, first + seeds), losses, activations)
    return [Case(*combination) for combination in combinations]


def _refuse_unknown(table: dict[str, object], place: str, known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise InputError(f"{place}unknown key {shown(key)}; possible are {', '.join(known)}")


def _integer(value: object, place: str, least: int, greatest: int) -> int:
    # a bool is an int in Python, and 2.0 is no integer in TOML
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        raise InputError(f"{place} is {shown(value)}, an integer from {least} to {greatest} is needed")
    return value


def _optional(table: dict[str, object], key: str, place: str, least: int, greatest: int) -> int | None:
    return _integer(table[key], place, least, greatest) if key in table else None


def _boolean(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{place} is {shown(value)}, true or false is needed")
    return value


def _widths(value: object, place: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= _MAX_LAYERS:  # noqa: PLR2004 - an input and an output
        raise InputError(f"{place} is {shown(value)}, a list of 2 to {_MAX_LAYERS} widths is needed")
    return tuple(_integer(width, f"{place}[{index}]", 1, _MAX_WIDTH) for index, width in enumerate(value))


def _rule(value: object, place: str) -> str:
    if not isinstance(value, str) or value not in RULES:
        raise InputError(f"{place} is {shown(value)}; one of {', '.join(RULES)} is needed")
    return value


def _loss(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} is {shown(value)}; possible are {LOSS_NAMES}")
    try:
        loss = parse_loss(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    if loss.is_squared:
        raise InputError(f"{place}: a squared loss is judged, not walked")
    return value


def _activation(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} is {shown(value)}; possible are {ACTIVATION_NAMES}")
    try:
        parse_activation(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return value


def _several(value: object, place: str, parse: Callable[[object, str], _Value]) -> list[_Value]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{place} is {shown(value)}, a list with at least one entry is needed")
    found: list[_Value] = []
    for index, entry in enumerate(value):
        parsed = parse(entry, f"{place}[{index}]")
        if parsed in found:
            raise InputError(f"{place}[{index}] is {shown(entry)}, which stands in the list already")
        found.append(parsed)
    return found
