"""The summary of a campaign as a page of Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from gmpy2 import mpq

from exactdrl.campaigns.cell_summary import VERDICTS, CellGroup, OpenShare, outward
from exactdrl.campaigns.criteria import CRITERIA
from exactdrl.campaigns.statistics import Median, Share
from exactdrl.campaigns.summary import LEAST_ANSWERS, MEASURES, Summary, answer
from exactdrl.engine.job import DONE

_SEPARATOR = "---"


def share_words(share: Share) -> str:
    """Returns a share with its interval."""
    if not share.total:
        return "none asked"
    return f"{share.count}/{share.total} [{share.low:.2f}, {share.high:.2f}]"


def median_words(found: Median) -> str:
    """Returns a median with its interval."""
    if found.value is None:
        return "none"
    interval = "" if found.interval is None else f" [{found.interval[0]:.4g}, {found.interval[1]:.4g}]"
    return f"{found.value:.4g}{interval}"


def to_markdown(summary: Summary) -> str:
    """Returns the page."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    yield "# Campaign"
    yield ""
    yield f"Configuration `{summary.digest}`."
    if summary.groups:
        yield from _walk_lines(summary)
    if summary.cells:
        yield from _cell_lines(summary)


def _walk_lines(summary: Summary) -> Iterator[str]:
    groups = summary.groups
    names = [group.name for group in groups]
    yield "Brackets hold 95 % intervals: Wilson's for shares, order statistics' for medians."
    yield ""
    yield f"The last column, *answer*, speaks of the groups with at least {LEAST_ANSWERS} runs that allow one."
    yield ""
    yield "## How the runs ended"
    yield ""
    yield from _table(
        ["", *names],
        [
            ["runs", *(str(group.runs) for group in groups)],
            *(
                [key, *(str(group.statuses.get(key, 0)) for group in groups)]
                for key in sorted({key for group in groups for key in group.statuses})
            ),
            *(
                [key, *(share_words(group.outcomes[key]) if key in group.outcomes else "0" for group in groups)]
                for key in dict.fromkeys(key for group in groups for key in group.outcomes)
            ),
            [
                "accepted by the stand-alone checker",
                *(f"{group.verified[0]}/{group.verified[1]}" if group.verified[1] else "not asked" for group in groups),
            ],
        ],
    )
    for name, reason in summary.failures:
        yield f"- `{name}`: {reason}"
    if summary.failures:
        yield ""
    yield "## The published observations"
    yield ""
    for claim in dict.fromkeys(criterion.claim for criterion in CRITERIA):
        yield f"**{claim[0].upper()}{claim[1:]}.** In how many runs:"
        yield ""
        yield from _table(
            ["criterion", *names, "answer"],
            [
                [
                    criterion.question,
                    *(share_words(group.answers[criterion.name]) for group in groups),
                    answer(summary, criterion),
                ]
                for criterion in CRITERIA
                if criterion.claim == claim
            ],
        )
    yield "## Measures"
    yield ""
    yield "Medians over the runs that have the measure."
    yield ""
    yield from _table(
        ["", *names],
        [[words, *(median_words(group.measures[column]) for group in groups)] for column, words, _ in MEASURES],
    )


def _cell_lines(summary: Summary) -> Iterator[str]:
    yield ""
    yield "## Hidden cells of drawn data"
    yield ""
    yield "A cell is genuine if the relaxation's minimum is attained in it, and bad if a better point is known, too."
    yield "Brackets hold Clopper and Pearson's 95 % intervals over runs, which are independent: each draws data and"
    yield "weights, and picks one of all its cells evenly. A minimum of which it is undecided whether it is bad is not,"
    yield "for the lower end, and is, for the upper one. Shares of all cells of all runs together have no interval."
    yield "Shares of weight space, by Gaussian weights, are means, between certified bounds."
    yield ""
    if not summary.groups:
        for name, reason in summary.failures:
            yield f"- `{name}`: {reason}"
        if summary.failures:
            yield ""
    words = [
        f"{what}, {verdict}" for what in ("cells", "picked cell", "weight space", "weights") for verdict in VERDICTS
    ]
    yield from _table(
        ["data", "d", "N", "K", "bits", "loss", "draws", "runs", "done", "all cells", *words, "data with bad cells"],
        [
            [
                *(str(value) for value in _shape(group)),
                str(group.runs),
                str(group.statuses.get(DONE, 0)),
                *(["not judged"] * 3 if group.cells is None else _cells_words(group.cells)),
                *(open_words(group.picked.get(verdict)) for verdict in VERDICTS),
                *(_mass_words(group.masses.get(verdict)) for verdict in VERDICTS),
                *(open_words(group.weights[verdict]) for verdict in VERDICTS),
                "not judged" if group.data is None else share_words(group.data),
            ]
            for group in summary.cells
        ],
    )


def _shape(group: CellGroup) -> list[object]:
    return [group.shape[name] for name in ("distribution", "inputs", "samples", "units", "bits", "loss", "draws")]


def _cells_words(cells: Mapping[str, int]) -> list[str]:
    total = cells["cells"]
    return [str(total), *(f"{cells[verdict] / total:.3f}" for verdict in VERDICTS)]


def _mass_words(mass: tuple[mpq, mpq] | None) -> str:
    return "not known" if mass is None else f"{outward(mass[0], -1):.6f} to {outward(mass[1], 1):.6f}"


def open_words(found: OpenShare | None) -> str:
    """Returns a share with its interval, and how many trials are undecided."""
    if found is None:
        return "not judged"
    return share_words(found.share) + (f", {found.undecided} undecided" if found.undecided else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, [_SEPARATOR] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""
