"""A run of a campaign that makes a walk, and the limits of runs."""

from dataclasses import dataclass

DEFAULT_RULE = "reference"
DEFAULT_LOSS, DEFAULT_ACTIVATION = "absolute", "relu"


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One walk to run: the published experiment's random problem (`exactdrl sample`), and a pivot rule.

    Attributes:
        widths: n_0..n_{L+1}.
        samples: the number N of samples.
        bits: how many bits after the binary point every drawn number has.
        rule: the pivot rule's name.
        seed: the seed of the draws.
        loss: the loss's name, as `parse_loss` reads it.
        activation: the activation's name, as `parse_activation` reads it.
    """

    widths: tuple[int, ...]
    samples: int
    bits: int
    rule: str
    seed: int
    loss: str = DEFAULT_LOSS
    activation: str = DEFAULT_ACTIVATION

    @property
    def name(self) -> str:
        """Returns the name of the run's files, without an ending."""
        kind = "".join(f"_{_file_word(text)}" for text in self._others)
        return f"w{self.widths_text}_n{self.samples}_b{self.bits}{kind}_{self.rule}_s{self.seed}"

    @property
    def _others(self) -> list[str]:
        """Returns the names of loss and activation that are not the published ones."""
        pairs = ((self.loss, DEFAULT_LOSS), (self.activation, DEFAULT_ACTIVATION))
        return [text for text, default in pairs if text != default]

    @property
    def widths_text(self) -> str:
        """Returns the widths joined by hyphens, as they stand in names."""
        return "-".join(map(str, self.widths))

    @property
    def group(self) -> str:
        """Returns the name of all runs that differ from this one in the seed alone."""
        kind = "".join(f"{text} " for text in self._others)
        return f"{','.join(map(str, self.widths))} N={self.samples} bits={self.bits} {kind}{self.rule}"

    @property
    def commands(self) -> tuple[str, str]:
        """Returns the commands that make the instance and walk on it."""
        instance, run = f"{self.name}.json", f"{self.name}.drl"
        widths = ",".join(map(str, self.widths))
        problem = f"--widths {widths} --samples {self.samples} --bits {self.bits} --seed {self.seed}"
        if self.loss != DEFAULT_LOSS:
            problem += f" --loss {self.loss}"
        if self.activation != DEFAULT_ACTIVATION:
            problem += f" --activation={self.activation}"
        return f"exactdrl sample -o {instance} {problem}", f"exactdrl walk {instance} -o {run} --rule {self.rule}"

    def to_json(self) -> dict[str, object]:
        """Returns the case as a JSON object; loss and activation only where they are not the published ones."""
        case: dict[str, object] = {
            "widths": list(self.widths),
            "samples": self.samples,
            "bits": self.bits,
            "rule": self.rule,
            "seed": self.seed,
        }
        if self.loss != DEFAULT_LOSS:
            case["loss"] = self.loss
        if self.activation != DEFAULT_ACTIVATION:
            case["activation"] = self.activation
        return case

    @classmethod
    def from_json(cls, value: dict[str, object]) -> "Case":
        """Returns the case that `to_json` wrote.

        Raises:
            ValueError: the value is no case.
        """
        loss, activation = value.get("loss", DEFAULT_LOSS), value.get("activation", DEFAULT_ACTIVATION)
        match value:
            case {"widths": list(widths), "samples": int(n), "bits": int(bits), "rule": str(rule), "seed": int(seed)}:
                return cls(tuple(widths), n, bits, rule, seed, str(loss), str(activation))
        raise ValueError(f"not a case: {value!r}")


def _file_word(text: str) -> str:
    """Returns a name as part of a file's name."""
    return text.replace(":", "-").replace("/", "over").replace(",", "and")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a single run may use. A run that needs more is recorded as over its limit, not as a result.

    Attributes:
        max_steps: the most steps after the first vertex; None for no limit.
        seconds: the most CPU seconds for walk and observations, without the checker's; None for no limit.
    """

    max_steps: int | None = None
    seconds: int | None = None
