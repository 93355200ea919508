"""The configuration of a campaign: a small TOML file, which is refused if it is not exactly of this form.

```toml
version = 1
verify = false      # every run is checked by the stand-alone checker
keep_runs = false   # instances, certificates and the walks' sequences are kept

[limits]
max_steps = 100000
seconds = 600

[[problems]]        # every combination of widths, samples, bits and rules, with each seed
widths = [[4, 5, 4, 3, 2, 1]]
samples = [100]
bits = [53]
rules = ["reference"]       # or steepest, first; long-step where there are no hidden layers
losses = ["absolute"]       # or pinball:1/4, hinge, linear, two-slope:-1,2
activations = ["relu"]      # or leaky:1/10, abs, identity, -1/2,1
first_seed = 0
seeds = 35

[[cells]]           # every combination, with each seed: data are drawn, their hidden cells judged
samples = [5, 8]
inputs = [1, 2]
units = [1, 2]
distributions = ["gaussian"]    # or uniform
losses = ["squared"]            # or absolute
bits = [12]
draws = "all"               # all cells are judged; with 20 only the cells of 20 random weights
first_seed = 0
seeds = 100
```

At least one table [[problems]] or [[cells]] is needed.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import product
from pathlib import Path

from exactdrl.campaigns.case import DEFAULT_ACTIVATION, DEFAULT_LOSS, DEFAULT_RULE, Case, Limits
from exactdrl.campaigns.cases import AnyCase
from exactdrl.campaigns.cell_case import CellCase
from exactdrl.campaigns.cell_config import to_cell_cases
from exactdrl.campaigns.values import MAX_SEED, boolean, integer, optional, refuse_unknown, several
from exactdrl.doors.sample import DOUBLE_BITS
from exactdrl.exact.rationals import InputError, shown
from exactdrl.problem.names import ACTIVATION_NAMES, LOSS_NAMES, parse_activation, parse_loss
from exactdrl.regression.long_step import LONG_STEP
from exactdrl.walks.steppers import ALL_RULES

VERSION = 1
_KEYS = ("widths", "samples", "bits", "rules", "losses", "activations")
# these bounds keep file names and tables readable, and a typing error from filling the disk
MAX_RUNS = 100_000
_MAX_WIDTH = 1000
_MAX_SAMPLES = 10_000_000
_MAX_LAYERS = 100
_MAX_SECONDS = 10**8


@dataclass(frozen=True, slots=True)
class Campaign:
    """The campaign that a configuration describes.

    Attributes:
        cases: the runs, each once, in the order of the table.
        limits: the limits of each run.
        verify: whether each finished run is checked by the stand-alone checker.
        keep_runs: whether instances, certificates and the walks' sequences are kept.
    """

    cases: tuple[AnyCase, ...]
    limits: Limits
    verify: bool
    keep_runs: bool

    def with_options(self, *, verify: bool, keep_runs: bool) -> "Campaign":
        """Returns the campaign with more asked of each run than the configuration asks.

        Raises:
            InputError: `verify` or `keep_runs` is asked, and some runs have no certificate.
        """
        return _checked(replace(self, verify=self.verify or verify, keep_runs=self.keep_runs or keep_runs))

    def to_json(self) -> dict[str, object]:
        """Returns all that decides the results as a JSON object."""
        return {
            "version": VERSION,
            "verify": self.verify,
            "keep_runs": self.keep_runs,
            "limits": {"max_steps": self.limits.max_steps, "seconds": self.limits.seconds},
            "cases": [case.to_json() for case in self.cases],
        }

    @property
    def digest(self) -> str:
        """Returns the SHA-256 of `to_json`, which does not depend on comments and the order of keys in the file."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def default_config() -> str:
    """Returns the text of the shipped configuration, which tests the published statement "always similar"."""
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
        InputError: the text is not of the form; the message names the place and the value.
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
    refuse_unknown(top, "", ("version", "verify", "keep_runs", "limits", "problems", "cells"))
    if integer(top.get("version"), "version", 0, 10**9) != VERSION:
        raise InputError(f"version is {shown(top.get('version'))}, this program reads version {VERSION}")
    limits = top.get("limits", {})
    if not isinstance(limits, dict):
        raise InputError(f"limits is {shown(limits)}, a table is needed")
    refuse_unknown(limits, "limits: ", ("max_steps", "seconds"))
    if "problems" not in top and "cells" not in top:
        raise InputError("problems: at least one table [[problems]] or [[cells]] is needed")
    cases: dict[AnyCase, str] = {}
    for key, parse in (("problems", _to_cases), ("cells", to_cell_cases)):
        for place, table in _tables(top, key):
            room = MAX_RUNS - len(cases)
            found = parse(table, place, room)
            if found is None:
                raise InputError(f"{place}: more than {MAX_RUNS} runs in all")
            for case in found:
                if case in cases:
                    raise InputError(f"{place}: the run {case.name} is in {cases[case]} already")
                cases[case] = place
    return _checked(
        Campaign(
            tuple(cases),
            Limits(
                optional(limits, "max_steps", "limits.max_steps", 0, 10**9),
                optional(limits, "seconds", "limits.seconds", 1, _MAX_SECONDS),
            ),
            boolean(top.get("verify", False), "verify"),
            boolean(top.get("keep_runs", False), "keep_runs"),
        )
    )


def _tables(top: dict[str, object], key: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields the tables [[key]] with their places."""
    tables = top.get(key)
    if key in top and (not isinstance(tables, list) or not tables):
        raise InputError(f"{key}: at least one table [[{key}]] is needed")
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        if not isinstance(table, dict):
            raise InputError(f"{key}[{index}] is {shown(table)}, a table is needed")
        yield f"{key}[{index}]", table


def _checked(campaign: Campaign) -> Campaign:
    """Refuses a campaign that asks for certificates of runs that have none."""
    if any(isinstance(case, CellCase) for case in campaign.cases):
        for key, is_asked in (("verify", campaign.verify), ("keep_runs", campaign.keep_runs)):
            if is_asked:
                raise InputError(f"{key}: runs of [[cells]] have no certificate; `exactdrl cells --judge` writes one")
    return campaign


def _to_cases(problem: dict[str, object], place: str, room: int) -> Sequence[AnyCase] | None:
    refuse_unknown(problem, f"{place}: ", (*_KEYS, "first_seed", "seeds"))
    for key in ("widths", "samples", "seeds"):
        if key not in problem:
            raise InputError(f"{place}: key {key!r} is missing")
    widths = several(problem["widths"], f"{place}.widths", _widths)
    samples = several(problem["samples"], f"{place}.samples", lambda value, at: integer(value, at, 1, _MAX_SAMPLES))
    bits = several(
        problem.get("bits", [DOUBLE_BITS]), f"{place}.bits", lambda value, at: integer(value, at, 1, DOUBLE_BITS)
    )
    rules = several(problem.get("rules", [DEFAULT_RULE]), f"{place}.rules", _rule)
    if LONG_STEP in rules and any(len(row) > 2 for row in widths):  # noqa: PLR2004 - an input and an output
        raise InputError(
            f"{place}: rule {LONG_STEP!r} needs the last layer to be trained; campaigns train layer 1, and widths are "
            f"{shown(problem['widths'])}"
        )
    first = integer(problem.get("first_seed", 0), f"{place}.first_seed", 0, MAX_SEED)
    seeds = integer(problem["seeds"], f"{place}.seeds", 1, MAX_SEED)
    losses = several(problem.get("losses", [DEFAULT_LOSS]), f"{place}.losses", _loss)
    activations = several(problem.get("activations", [DEFAULT_ACTIVATION]), f"{place}.activations", _activation)
    if len(widths) * len(samples) * len(bits) * len(rules) * len(losses) * len(activations) * seeds > room:
        return None
    combinations = product(widths, samples, bits, rules, range(first, first + seeds), losses, activations)
    return [Case(*combination) for combination in combinations]


def _widths(value: object, place: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= _MAX_LAYERS:  # noqa: PLR2004 - an input and an output
        raise InputError(f"{place} is {shown(value)}, a list of 2 to {_MAX_LAYERS} widths is needed")
    return tuple(integer(width, f"{place}[{index}]", 1, _MAX_WIDTH) for index, width in enumerate(value))


def _rule(value: object, place: str) -> str:
    if not isinstance(value, str) or value not in ALL_RULES:
        raise InputError(f"{place} is {shown(value)}; one of {', '.join(ALL_RULES)} is needed")
    return value


def _loss(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} is {shown(value)}; possible are {LOSS_NAMES}")
    try:
        loss = parse_loss(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    if loss.is_squared:
        raise InputError(f"{place}: no walk is possible on a squared loss; possible are the other losses")
    return value


def _activation(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{place} is {shown(value)}; possible are {ACTIVATION_NAMES}")
    try:
        parse_activation(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return value
