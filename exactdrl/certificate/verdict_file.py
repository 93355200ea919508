"""Writes a verdict on a point, in the format of proofs/VERDICT.md."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from gmpy2 import mpq

from exactdrl.certificate.tree_lines import witness_fields
from exactdrl.exact.rationals import InputError, to_text
from exactdrl.points.judge import JudgedPoint
from exactdrl.points.setting import Theta
from exactdrl.points.verdict import AffineProof, FormProof, MarginProof, Minimum, NotMinimum, Proof, Undecided
from exactdrl.problem.output import STREAM, write_new

FORMAT, VERSION = "exactdrl-verdict", 1
# what the checker reads: proofs/VERDICT.md, section 2
_LONGEST = 2**26


def verdict_name(judged: JudgedPoint) -> str:
    """Returns the verdict's name, as files and programs have it."""
    match judged.verdict:
        case Minimum(is_strict=True):
            return "strict-local-minimum"
        case Minimum():
            return "local-minimum"
        case NotMinimum(is_stationary=is_stationary):
            # one layer's first-order test is its whole test: what fails it is called no minimum
            return "not-a-minimum" if is_stationary or len(judged.setting.free) == 1 else "not-stationary"
        case Undecided():
            return "undecided"


def status_name(judged: JudgedPoint) -> str:
    """Returns the verdict's name for programs: as in the file, or `unbounded` where the loss falls forever."""
    verdict = judged.verdict
    return "unbounded" if isinstance(verdict, NotMinimum) and verdict.is_unbounded else verdict_name(judged)


def verdict_text(judged: JudgedPoint, digest: str) -> str:
    """Returns a verdict's file.

    Args:
        judged: the point.
        digest: of the instance file whose point it is.
    """
    free = judged.setting.free
    content: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "instance": digest,
        "free": free[0] + 1 if len(free) == 1 else "all",
        "loss": to_text(judged.loss),
        "verdict": verdict_name(judged),
        "witness": _witness(judged),
    }
    if judged.better is not None:
        content["better"] = _parameters(judged, judged.better)
    return json.dumps(content, separators=(",", ":")) + "\n"


def write_verdict(judged: JudgedPoint, digest: str, path: Path | str, *, force: bool = False) -> None:
    """Writes a verdict to `*.verdict`, or compressed to `*.verdict.gz`; to standard output for the path `-`.

    Raises:
        InputError: the path has another ending, it exists and `force` is not set, it cannot be written, or it would
            be longer than the checker reads.
    """
    target = Path(path)
    if target != STREAM and not target.name.endswith((".verdict", ".verdict.gz")):
        raise InputError(f"{target}: a verdict's name ends in .verdict or .verdict.gz")
    content = verdict_text(judged, digest).encode("ascii")
    if len(content) > _LONGEST:
        raise InputError(f"{target}: the verdict has {len(content)} bytes, the format allows {_LONGEST}")
    write_new(target, gzip.compress(content, mtime=0) if target.suffix == ".gz" else content, force=force)


def _witness(judged: JudgedPoint) -> dict[str, object]:
    match judged.verdict:
        case Minimum(proof):
            return _proof(proof)
        case NotMinimum(descent):
            curve = [_parameters(judged, part) for part in descent.curve]
            return {"by": "curve", "curve": curve, "at": to_text(descent.at)}
        case Undecided():
            return {"by": "nothing"}


def _proof(proof: Proof) -> dict[str, object]:
    match proof:
        case FormProof(tree, spread):
            more = {} if spread is None else {"spread": witness_fields(spread)}
            return {"by": "tree", "tree": witness_fields(tree), **more}
        case MarginProof(duals, margins, trees):
            return {
                "by": "margins",
                "duals": _rows(duals),
                "margins": [to_text(value) for value in margins],
                "trees": [witness_fields(tree) for tree in trees],
            }
        case AffineProof(duals):
            return {"by": "affine", "duals": _rows(duals)}
        case _:
            return {"by": "zero-loss"}


def _rows(rows: Iterable[Iterable[mpq]]) -> list[list[str]]:
    return [[to_text(value) for value in row] for row in rows]


def _parameters(judged: JudgedPoint, theta: Theta) -> list[list[list[str]]]:
    return [_rows(theta[number]) for number in judged.setting.free]
