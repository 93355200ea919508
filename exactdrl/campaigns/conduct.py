"""The conduct of a campaign: missing runs are done, and all runs are tabulated."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exactdrl.campaigns.cases import AnyCase
from exactdrl.campaigns.config import Campaign
from exactdrl.campaigns.figures import draw_answers, draw_measures
from exactdrl.campaigns.run import to_job
from exactdrl.campaigns.store import Store, open_store
from exactdrl.campaigns.summary import Summary, summarise_campaign
from exactdrl.campaigns.table import Row, to_csv, to_parquet, to_row
from exactdrl.campaigns.task import Task
from exactdrl.campaigns.words import to_markdown
from exactdrl.engine.cluster import SchedulerLostError, run_on_cluster
from exactdrl.engine.job import DONE, FAILED, Job, JobResult
from exactdrl.engine.local import run_local
from exactdrl.engine.process import WORKER
from exactdrl.problem.output import MachineError
from exactdrl.report.style import Size, find_tex, save_figure


@dataclass(frozen=True, slots=True)
class Conducted:
    """The result of a whole campaign.

    Attributes:
        rows: the rows of its table.
        summary: the summary of the table.
        paths: the paths of table, summary, page and figures.
        run: how many runs were done this time; the others were there already.
    """

    rows: tuple[Row, ...]
    summary: Summary
    paths: tuple[Path, ...]
    run: int

    def count(self, status: str) -> int:
        """Returns how many runs have a status."""
        return sum(row["status"] == status for row in self.rows)

    @property
    def rejected(self) -> int:
        """Returns how many certificates the checker did not accept."""
        return sum(row.get("verified") not in {None, "accepted"} for row in self.rows)


def conduct(
    campaign: Campaign,
    folder: Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    retry_failed: bool = False,
    command: Sequence[str] = WORKER,
    formats: Sequence[str] = ("svg",),
    size: Size = "screen",
    on_run: Callable[[int, int, AnyCase, str], None] | None = None,
) -> Conducted:
    """Does the missing runs of a campaign, and writes its table and summary.

    The table depends only on the configuration, and on the machine's speed where a run comes near its CPU limit. It
    does not depend on the number of jobs, the cluster or interruptions.

    Args:
        campaign: the campaign.
        folder: the folder for the results, which is made if it does not exist; runs that it holds are not done again.
        jobs: how many runs are done at once on this machine.
        scheduler: the address of the scheduler of a Dask cluster that does the runs instead.
        retry_failed: whether runs that failed are done again.
        command: the command that starts a worker process.
        formats: the formats of the figures, which are drawn of walks only; without any format, no figure is drawn.
        size: the size of the figures.
        on_run: is called with the number of runs done, the number of all runs, the latest case and its status; first
            for the runs that were there.

    Raises:
        InputError: the folder holds something else, cannot be written, or another process works in it; Dask is missing,
            or there is no scheduler; LaTeX, which the format pgf needs, is missing.
        MachineError: the cluster's scheduler went away.
    """
    if "pgf" in formats:
        # Before hours of runs
        find_tex()
    with open_store(folder, campaign) as store:
        results: dict[AnyCase, dict[str, object]] = {}
        for case in campaign.cases:
            found = store.result(case)
            if found is not None and not (retry_failed and found.get("status") == FAILED):
                results[case] = found
        there = len(results)
        if on_run is not None and results:
            on_run(there, len(campaign.cases), next(reversed(results)), DONE)
        tasks = [
            Task(case, campaign.limits, campaign.verify, campaign.keep_runs)
            for case in campaign.cases
            if case not in results
        ]
        if tasks:
            stream = _until_lost(_stream([to_job(task) for task in tasks], jobs, scheduler, command))
            for index, result in stream:
                case = tasks[index].case
                results[case] = _to_stored(case, result)
                store.save(case, results[case], result.kept)
                if on_run is not None:
                    on_run(len(results), len(campaign.cases), case, result.status)
        rows, summary, paths = _tabulate(store, campaign, results, formats, size)
    return Conducted(rows, summary, paths, len(rows) - there)


def _stream(
    jobs: Sequence[Job], at_once: int, scheduler: str | None, command: Sequence[str]
) -> Iterator[tuple[int, JobResult]]:
    if scheduler is None:
        return run_local(jobs, at_once, command)
    return run_on_cluster(jobs, scheduler, () if tuple(command) == WORKER else command)


def _until_lost(stream: Iterator[tuple[int, JobResult]]) -> Iterator[tuple[int, JobResult]]:
    """Yields what a stream yields.

    Raises:
        MachineError: the cluster's scheduler went away.
    """
    try:
        yield from stream
    except SchedulerLostError as error:
        raise MachineError(str(error)) from None


def _to_stored(case: AnyCase, result: JobResult) -> dict[str, object]:
    return {"case": case.to_json(), "status": result.status, "reason": result.reason, "fields": result.fields}


def _tabulate(
    store: Store, campaign: Campaign, results: dict[AnyCase, dict[str, object]], formats: Sequence[str], size: Size
) -> tuple[tuple[Row, ...], Summary, tuple[Path, ...]]:
    rows = tuple(to_row(case, results[case]) for case in campaign.cases)
    summary = summarise_campaign(campaign.digest, rows)
    files = {
        "table.parquet": to_parquet(rows),
        "table.csv": to_csv(rows),
        "floats.csv": to_csv(rows, exact=False),
        "summary.json": f"{json.dumps(summary.to_json(), indent=1)}\n".encode("ascii"),
        "summary.md": to_markdown(summary).encode("utf-8"),
    }
    paths = [store.write(name, content) for name, content in files.items()]
    if formats and summary.groups:
        figures = {"answers": draw_answers(summary, size=size), "measures": draw_measures(rows, summary, size=size)}
        for name, figure in figures.items():
            for kind in dict.fromkeys(formats):
                paths += save_figure(figure, store.folder / f"{name}.{kind}", size=size, force=True)
    return rows, summary, tuple(paths)
