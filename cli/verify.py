"""`exactdrl verify`."""

import json
from pathlib import Path

import click

from exactdrl import verify, verify_fast
from exactdrl.front.progress import progress

_EXIT = {"accepted": 0, "rejected": 1, "malformed": 2}


@click.command("verify")
@click.argument("instance", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("claims", type=click.Path(path_type=Path), required=False)
@click.option("--steps", metavar="A:B", help="check only the steps A to B, counted from 1; either end may be left out")
@click.option("--gmpy2", is_flag=True, help="compute with gmpy2's integers, which is faster with many parameters")
@click.option(
    "--fast", is_flag=True, help="check the steps by this package's own filtered arithmetic, faster than the walk"
)
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def verify_command(
    instance: Path, run: Path, claims: Path | None, *, steps: str | None, gmpy2: bool, fast: bool, as_json: bool
) -> int:
    """Check the certificate RUN of a walk on INSTANCE, and CLAIMS about it, with the stand-alone checker.

    This is the same as `python -I -S proofs/check.py INSTANCE RUN [CLAIMS]`, which needs no installation. RUN may also
    be a verdict that `judge` has written, or a certificate of `cells`, `global` or `spurious`. Exit codes: 0 accepted,
    1 rejected, 2 malformed, 4 the check failed, so that nothing is known.
    """
    if fast and (claims is not None or steps is not None or gmpy2):
        raise click.UsageError("--fast goes without CLAIMS, --steps and --gmpy2")
    if fast:
        with progress("verify", total=None) as report:
            result = verify_fast(instance, run, on_step=report)
    else:
        result = verify(instance, run, claims, steps=steps, gmpy2=gmpy2)
    click.echo(json.dumps(result.to_dict()) if as_json else result.line)
    return _EXIT[result.status]
