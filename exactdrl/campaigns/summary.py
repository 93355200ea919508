"""The summary of a campaign: outcomes, measures and answers about the published observations, with intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exactdrl.campaigns.cell_case import KIND
from exactdrl.campaigns.cell_summary import CellGroup, summarise_cells
from exactdrl.campaigns.criteria import CRITERIA, Criterion, number
from exactdrl.campaigns.statistics import Median, Share, summarise, wilson
from exactdrl.campaigns.table import Row
from exactdrl.engine.job import DONE

# the column, its words, and whether its absolute value is summarised
MEASURES = (
    ("steps", "steps", False),
    ("final_loss_float", "final loss", False),
    ("window_loss_gap_share_float", "loss gap: share of the steps in its decay window", False),
    ("window_loss_gap_fall_float", "loss gap: falls in it by the factor", False),
    ("window_loss_gap_rate_float", "loss gap: certified rate ρ", False),
    ("window_loss_gap_spread_float", "loss gap: certified C/c", False),
    ("window_squared_distance_share_float", "distance: share of the steps in its decay window", False),
    ("window_squared_distance_fall_float", "distance: falls in it by the factor", False),
    ("window_squared_distance_rate_float", "squared distance: certified rate ρ", False),
    ("window_squared_distance_spread_float", "squared distance: certified C/c", False),
    ("window_length_sum_share_float", "running mean: share of the steps in its decay window", False),
    ("window_length_sum_fall_float", "running mean: falls in it by the factor", False),
    ("window_length_sum_rate_float", "running mean: certified rate ρ", False),
    ("window_length_sum_spread_float", "running mean: certified C/c", False),
    ("least_mean_length_share_float", "share of the steps at which the running mean is least", False),
    ("after_length_growth_float", "running mean: last over first after the loss gap's window", False),
    ("at_50_loss_error_float", "half of the steps: relative error of the loss itself", True),
    ("at_50_aitken_2_error_float", "half of the steps: relative error of Aitken's extrapolation", True),
    ("at_50_fit_error_float", "half of the steps: relative error of the fitted limit", True),
    ("at_75_loss_error_float", "three quarters: relative error of the loss itself", True),
    ("at_75_fit_error_float", "three quarters: relative error of the fitted limit", True),
    ("density_ratio_control_float", "kinks at the last vertex over those at points of the walk's box", False),
    ("density_ratio_turned_float", "kinks at the last vertex over those at points as far from the origin", False),
)
ALL = "all"
LEAST_ANSWERS = 10


@dataclass(frozen=True, slots=True)
class Group:
    """What the runs of a group show.

    Attributes:
        name: the group's name.
        runs: how many runs there are.
        statuses: how many runs have each status: done, limit, failed.
        outcomes: the share of each outcome and of some events among the runs that are done.
        measures: the median of each measure, by column.
        answers: the share of runs in which each criterion holds, by the criterion's name.
        verified: how many certificates the checker accepted, and how many it checked.
    """

    name: str
    runs: int
    statuses: Mapping[str, int]
    outcomes: Mapping[str, Share]
    measures: Mapping[str, Median]
    answers: Mapping[str, Share]
    verified: tuple[int, int]

    def to_json(self) -> dict[str, object]:
        """Returns the group as a JSON object."""
        return {
            "runs": self.runs,
            "statuses": dict(self.statuses),
            "outcomes": {name: share.to_json() for name, share in self.outcomes.items()},
            "measures": {name: median.to_json() for name, median in self.measures.items()},
            "answers": {name: share.to_json() for name, share in self.answers.items()},
            "verified": {"accepted": self.verified[0], "of": self.verified[1]},
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What a campaign shows.

    Attributes:
        digest: the digest of its configuration.
        groups: the groups of walks in the order of the table, and then, if there are several, all walks as one group.
        failures: the names of runs that are not done, with the reasons.
        cells: the groups of runs that judge cells.
    """

    digest: str
    groups: tuple[Group, ...]
    failures: tuple[tuple[str, str], ...]
    cells: tuple[CellGroup, ...] = ()

    @property
    def parts(self) -> tuple[Group, ...]:
        """Returns the groups without their union."""
        return self.groups[:-1] if len(self.groups) > 1 else self.groups

    def to_json(self) -> dict[str, object]:
        """Returns the summary as a JSON object."""
        whole: dict[str, object] = {"digest": self.digest}
        if self.groups:
            whole["groups"] = {group.name: group.to_json() for group in self.groups}
            whole["criteria"] = {
                criterion.name: {
                    "claim": criterion.claim,
                    "question": criterion.question,
                    "answer": answer(self, criterion),
                }
                for criterion in CRITERIA
            }
        if self.cells:
            whole["cells"] = {group.name: group.to_json() for group in self.cells}
        whole["not done"] = dict(self.failures)
        return whole


def summarise_campaign(digest: str, rows: Sequence[Row]) -> Summary:
    """Returns the summary of a campaign's table, on which alone it depends."""
    walks = [row for row in rows if row.get("kind") != KIND]
    names = list(dict.fromkeys(str(row["group"]) for row in walks))
    groups = [_group(name, [row for row in walks if row["group"] == name]) for name in names]
    if len(groups) > 1:
        groups.append(_group(ALL, walks))
    failures = [(str(row["name"]), f"{row['status']}: {row['reason']}") for row in rows if row["status"] != DONE]
    return Summary(digest, tuple(groups), tuple(failures), summarise_cells(rows))


def _group(name: str, rows: Sequence[Row]) -> Group:
    done = [row for row in rows if row["status"] == DONE]
    outcomes = {f"outcome {key}": count for key, count in sorted(Counter(_outcome(row) for row in done).items())}
    events = {
        "the published rule stops wrongly at least once": sum((number(row, "wrong_stops") or 0) > 0 for row in done),
        "a vertex where a unit is 0, so that all its kinks meet": sum(
            (number(row, "zero_unit_vertices") or 0) > 0 for row in done
        ),
        "a degenerate vertex is left by a certified direction": sum(
            (number(row, "degenerate_exits") or 0) > 0 for row in done
        ),
        "the last vertex is degenerate": sum(row.get("last_is_degenerate") is True for row in done),
    }
    checked = [row for row in done if row.get("verified") is not None]
    return Group(
        name,
        len(rows),
        dict(sorted(Counter(str(row["status"]) for row in rows).items())),
        {key: wilson(count, len(done)) for key, count in (outcomes | events).items()},
        {column: _median(done, column, is_size=is_size) for column, _, is_size in MEASURES},
        {criterion.name: _share(done, criterion) for criterion in CRITERIA},
        (sum(row["verified"] == "accepted" for row in checked), len(checked)),
    )


def _outcome(row: Row) -> str:
    return f"{row['outcome']} by {row['by']}" if row.get("by") else str(row["outcome"])


def _median(rows: Sequence[Row], column: str, *, is_size: bool) -> Median:
    values = [value for row in rows if (value := number(row, column)) is not None]
    return summarise([abs(value) if is_size else value for value in values])


def _share(rows: Sequence[Row], criterion: Criterion) -> Share:
    answers = [found for row in rows if (found := criterion.holds(row)) is not None]
    return wilson(sum(answers), len(answers))


def answer(summary: Summary, criterion: Criterion) -> str:
    """Returns how often a criterion holds, in words, by the groups' 95 % intervals.

    Groups with fewer than ten answers do not count, since their intervals leave the answer open.
    """
    asked = [group.answers[criterion.name] for group in summary.parts]
    shares = [share for share in asked if share.total >= LEAST_ANSWERS]
    most, few = [share.low > 1 / 2 for share in shares], [share.high < 1 / 2 for share in shares]
    cases = (
        (not shares, "too few runs"),
        (all(share.count == share.total for share in shares), "in every run"),
        (not any(share.count for share in shares), "in no run"),
        (all(most), "in most runs of every group"),
        (all(few), "in a minority of the runs of every group"),
        (any(most) and any(few), "in most runs of some groups, in a minority of others"),
    )
    return next((words for holds, words in cases if holds), "open: some intervals hold one half")
