"""What one run of a campaign is, and by what it is limited."""

from dataclasses import dataclass

DEFAULT_RULE = "reference"


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One walk to run: the published experiment's random problem (`exactdrl sample`), and a pivot rule.

    Attributes:
        widths: n_0..n_{L+1}.
        samples: N.
        bits: after the binary point of every drawn number.
        rule: the pivot rule's name.
        seed: of the draws.
    """

    widths: tuple[int, ...]
    samples: int
    bits: int
    rule: str
    seed: int

    @property
    def name(self) -> str:
        """Returns the name of the run's files, without an ending."""
        return f"w{self.widths_text}_n{self.samples}_b{self.bits}_{self.rule}_s{self.seed}"

    @property
    def widths_text(self) -> str:
        """Returns the widths joined by hyphens, as they stand in names."""
        return "-".join(map(str, self.widths))

    @property
    def group(self) -> str:
        """Returns the name of all runs that differ from this one in the seed alone."""
        return f"{','.join(map(str, self.widths))} N={self.samples} bits={self.bits} {self.rule}"

    @property
    def commands(self) -> tuple[str, str]:
        """Returns the commands that make the instance and walk on it."""
        instance, run = f"{self.name}.json", f"{self.name}.drl"
        widths = ",".join(map(str, self.widths))
        problem = f"--widths {widths} --samples {self.samples} --bits {self.bits} --seed {self.seed}"
        return f"exactdrl sample -o {instance} {problem}", f"exactdrl walk {instance} -o {run} --rule {self.rule}"

    def to_json(self) -> dict[str, object]:
        """Returns the case as a JSON object."""
        return {
            "widths": list(self.widths),
            "samples": self.samples,
            "bits": self.bits,
            "rule": self.rule,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """What a single run may use; a run beyond it is recorded as over its limit, not as a result.

    Attributes:
        max_steps: steps of phase 2; None: no limit.
        seconds: CPU seconds for walk and observations, the checker's not counted; None: no limit.
    """

    max_steps: int | None = None
    seconds: int | None = None
