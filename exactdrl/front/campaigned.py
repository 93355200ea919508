"""A campaign, many runs from a small configuration, in one call."""

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
    """The result of a campaign.

    Attributes:
        conducted: the table's rows, the summary, and the paths of the written files.
    """

    conducted: Conducted

    @property
    def message(self) -> str:
        """Returns how many runs there are, how many were done now, and how many met a limit or failed."""
        found = self.conducted
        failed, limit = found.count(FAILED), found.count(LIMIT)
        return f"{len(found.rows)}, {found.run} of them done now; {limit} met a limit, {failed} failed"

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """Returns the runs that met a limit or failed, each by its name with the reason."""
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
    """Returns the campaign that a configuration describes.

    Args:
        config: the path of a TOML file; None for the shipped configuration.
        verify: whether each certificate is checked, as `verify = true` in the file asks.
        keep_runs: whether instances, certificates and sequences are kept, as `keep_runs = true` in the file asks.

    Raises:
        InputError: the file cannot be read or is not of the form, or `verify` or `keep_runs` is asked of runs that have
            no certificate.
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

    The same call goes on with a campaign that was interrupted. No result is lost, and no run is done twice.

    Args:
        config: what `read_campaign` returns, the path of a TOML file, or None for the shipped campaign.
        folder: the folder for the results, which is made if it does not exist; runs that it holds are not done again.
        jobs: how many runs are done at once; default: one for each processor.
        scheduler: the address tcp://host:8786 of the scheduler of a Dask cluster that does the runs instead.
        retry_failed: whether runs that failed are done again.
        formats: the formats of the figures: png, svg, pdf or pgf, several together; without any, no figure is drawn.
        size: the size of the figures: `screen`, or for print `column` (one column of a paper with two) or `page` (its
            width).
        on_run: is called with the number of runs done, the number of all runs, the latest case and its status.

    Raises:
        InputError: the configuration is not of the form; the folder holds something else, cannot be written, or another
            process works in it; Dask is missing, or there is no scheduler; LaTeX, which the format pgf needs,
            is missing.
        MachineError: the cluster's scheduler went away.
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
