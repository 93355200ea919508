"""What a report says of one run: verdict, observations, claims, hashes, versions. The module `page` words it.

Nothing in it depends on the clock or on where files lie: the same files give the same report.
"""

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from exactdrl.arithmetic import native
from exactdrl.cells.integer_problem import IntegerProblem
from exactdrl.certificate.reader import Certificate, read_certificate
from exactdrl.certificate.verify import CheckResult, verify
from exactdrl.exact.rationals import InputError
from exactdrl.observations.claims import FORMAT, write_claims
from exactdrl.observations.observe import LINES, Observations, Progress, observe
from exactdrl.observations.series import Series, to_series
from exactdrl.problem.file import read_bytes, read_instance
from exactdrl.problem.instance import Instance
from exactdrl.problem.output import temporary_folder
from exactdrl.report.figures import draw

# bytes; a larger SVG makes the page slow, and its PNG is smaller
_MAX_SVG = 300_000
_FIGURES = ("loss", "lengths", "distance", "density")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the page.

    Attributes:
        name: the figure's name, as `exactdrl plot` names its file.
        media_type: `image/svg+xml` or `image/png`.
        content: the file's bytes.
    """

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page says.

    Attributes:
        instance_name: the file's name, without its folder.
        run_name: the name of the certificate's file, without its folder.
        instance: the problem.
        certificate: the run.
        problem: the problem, scaled to integers.
        found: what was observed, by exactdrl's own exact arithmetic.
        series: the walk's points in floats.
        figures: the figures of what was observed.
        check: the stand-alone checker's verdict; None where the checker was not run.
        can_check_claims: whether this version's checker reads claims, so that its verdict is about them, too.
        lines: how many lines of each kind were drawn.
        seed: the seed of the lines.
        hashes: names of files and the SHA-256 of their bytes, decompressed where a file is compressed.
        versions: names of programs and their versions.
    """

    instance_name: str
    run_name: str
    instance: Instance
    certificate: Certificate
    problem: IntegerProblem
    found: Observations
    series: Series
    figures: tuple[Figure, ...]
    check: CheckResult | None
    can_check_claims: bool
    lines: int
    seed: int
    hashes: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]


def make_report(
    instance: Path,
    run: Path,
    *,
    check: bool = True,
    lines: int = LINES,
    seed: int = 0,
    jobs: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Observes a run, has the run and its claims checked, and returns what the report says.

    Args:
        instance: the problem's file.
        run: the certificate's file, whole.
        check: whether the stand-alone checker is run.
        lines: see `observe`.
        seed: see `observe`.
        jobs: how many processes observe.
        on_progress: see `observe`.

    Raises:
        InputError: a file cannot be read or does not fit, or the checker rejects the certificate, so that there is
            nothing to report.
    """
    problem_instance = read_instance(instance)
    certificate = read_certificate(run, problem_instance)
    found = observe(
        problem_instance,
        certificate,
        lines=lines,
        seed=seed,
        jobs=jobs,
        on_progress=on_progress,
    )
    problem = IntegerProblem.from_instance(problem_instance)
    with temporary_folder() as folder:
        claims = folder / "run.claims"
        write_claims(claims, found.instance_digest, found.run_digest, found.claims)
        claims_digest = hashlib.sha256(claims.read_bytes()).hexdigest()
        verdict = _check(instance, run, claims) if check else None
        if verdict is not None and verdict.status != "accepted":
            raise InputError(f"{run}: {verdict.line}")
        series = to_series(problem, certificate, found.trajectory, found.window)
        figures = _figures(found, series, folder)
    return Report(
        instance.name,
        run.name,
        problem_instance,
        certificate,
        problem,
        found,
        series,
        figures,
        verdict,
        _can_check_claims(),
        lines,
        seed,
        (
            ("instance", problem_instance.digest),
            ("certificate", hashlib.sha256(read_bytes(run)).hexdigest()),
            ("claims", claims_digest),
            ("checker", hashlib.sha256(_checker().encode("utf-8")).hexdigest()),
        ),
        _versions(),
    )


def _figures(found: Observations, series: Series, folder: Path) -> tuple[Figure, ...]:
    vector, pixels = folder / "svg", folder / "png"
    draw(found, series, vector, formats=("svg",))
    figures = []
    for name in _FIGURES:
        content = (vector / f"{name}.svg").read_bytes()
        if len(content) <= _MAX_SVG:
            figures.append(Figure(name, "image/svg+xml", content))
            continue
        if not pixels.exists():
            draw(found, series, pixels, formats=("png",))
        figures.append(Figure(name, "image/png", (pixels / f"{name}.png").read_bytes()))
    return tuple(figures)


def _checker() -> str:
    """Returns the stand-alone checker's code: check.py, then the files of its folder by name."""
    folder = files("exactdrl_proofs")
    parts = sorted((part for part in (folder / "checker").iterdir() if part.name.endswith(".py")), key=lambda p: p.name)
    return "".join(part.read_text(encoding="utf-8") for part in (folder / "check.py", *parts))


def _check(instance: Path, run: Path, claims: Path) -> CheckResult:
    """Returns the stand-alone checker's verdict on a run, and on its claims if it reads any."""
    return verify(instance, run, claims if _can_check_claims() else None)


def _can_check_claims() -> bool:
    return FORMAT in _checker()


def _versions() -> tuple[tuple[str, str], ...]:
    found = [("Python", f"{platform.python_implementation()} {platform.python_version()}")]
    for package in ("exactdrl", "python-flint", "gmpy2", "numpy"):
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "not installed"))
    return (*found, ("float kernel", native.KIND))
