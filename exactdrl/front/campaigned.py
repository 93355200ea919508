"""Many runs from a small configuration in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exactdrl.campaigns.cases import AnyCase
from exactdrl.campaigns.conduct import Conducted, conduct
from exactdrl.campaigns.config import Campaign, default_config, parse_config, read_config
from exactdrl.engine.job import FAILED, LIMIT
from exactdrl.engine.pool import available_jobs
from exactdrl.front.frames import to_frame
from exactdrl.front.result import Result
from exactdrl.report.style import Size

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["AnyCase", "Campaign", "CampaignResult", "campaign", "default_config", "read_campaign"]


@dataclass(frozen=True, slots=True, repr=False)
class CampaignResult(Result):
    """What a campaign came to.

    Attributes:
        conducted: the table's rows, the summary, the files.
    """

    conducted: Conducted

    @property
    def message(self) -> str:
        """Returns how many runs came to what, in a sentence."""
        found = self.conducted
        failed, limit = found.count(FAILED), found.count(LIMIT)
        return f"{len(found.rows)}, {found.run} of them now; {limit} over a limit, {failed} failed"

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """Returns the runs that came to nothing, each with its reason."""
        return tuple(self.conducted.summary.failures)

    @property
    def has_failed(self) -> bool:
        """Returns whether some runs failed."""
        return bool(self.conducted.count(FAILED))

    @property
    def rejected(self) -> int:
        """Returns how many certificates the checker did not accept."""
        return self.conducted.rejected

    def lines(self) -> list[str]:
        """Returns the result in lines, as `exactdrl campaign` prints it."""
        return [f"runs         {self.message}", *(f"written      {path}" for path in self.conducted.paths)]

    def to_dict(self) -> dict[str, object]:
        """Returns the summary for JSON, as `exactdrl campaign --json` prints it."""
        return self.conducted.summary.to_json()

    def to_pandas(self) -> "DataFrame":
        """Returns the table as a data frame, with a row for each run.

        Raises:
            InputError: pandas is not installed.
        """
        rows = self.conducted.rows
        names = dict.fromkeys(name for row in rows for name in row)
        return to_frame({name: [row.get(name) for row in rows] for name in names})


def read_campaign(config: Path | str | None = None, *, verify: bool = False, keep_runs: bool = False) -> Campaign:
    """Returns what a configuration means.

    Args:
        config: the path of a TOML file; None for the shipped one.
        verify: check each certificate, as `verify = true` in the file.
        keep_runs: keep instances and certificates, as `keep_runs = true` in the file.

    Raises:
        InputError: the file cannot be read, or is not of the form.
    """
    found = parse_config(default_config(), "--default") if config is None else read_config(Path(config))
    return found.with_options(verify=verify, keep_runs=keep_runs)


def campaign(
    config: Campaign | Path | str | None,
    folder: Path | str,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    retry_failed: bool = False,
    formats: Sequence[str] = ("svg",),
    size: Size = "screen",
    on_run: Callable[[int, int, AnyCase, str], None] | None = None,
) -> CampaignResult:
    """Runs what is missing of a campaign, and writes its table, summary and figures into a folder.

    A campaign that was interrupted goes on by the same call: nothing is lost, nothing is run twice.

    Args:
        config: what `read_campaign` returns, the path of a TOML file, or None for the shipped campaign.
        folder: made if it does not exist; goes on with what is there.
        jobs: runs at once; default: one for each processor.
        scheduler: of a Dask cluster that runs them instead, tcp://host:8786.
        retry_failed: run those again that failed.
        formats: of the figures, several of png, svg, pdf and pgf; none without any.
        size: of the figures: `screen`, or for print `column` (one column of a paper with two) or `page` (its width).
        on_run: called with done runs, all runs, the latest case and its status.

    Raises:
        InputError: the configuration is not of the form, the folder holds something else, cannot be written, or another
            process works in it; Dask or its scheduler is missing, or LaTeX, which the format pgf needs.
    """
    found = config if isinstance(config, Campaign) else read_campaign(config)
    return CampaignResult(
        conduct(
            found,
            Path(folder),
            jobs=jobs or available_jobs(),
            scheduler=scheduler,
            retry_failed=retry_failed,
            formats=formats,
            size=size,
            on_run=on_run,
        )
    )
