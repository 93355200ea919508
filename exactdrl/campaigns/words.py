"""A campaign's summary as a page of Markdown."""

from collections.abc import Iterator, Sequence

from exactdrl.campaigns.criteria import CRITERIA
from exactdrl.campaigns.statistics import Median, Share
from exactdrl.campaigns.summary import LEAST_ANSWERS, MEASURES, Summary, answer

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
    groups = summary.groups
    names = [group.name for group in groups]
    yield "# Campaign"
    yield ""
    yield f"Configuration `{summary.digest}`."
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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, [_SEPARATOR] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""
