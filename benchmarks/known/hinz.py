"""Computes the page on the published experiment: how often observations hold, how sensitive that is, how it scales."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import walks
from evidence import (
    COLOURS,
    CONDITIONS,
    FAILS,
    HOLDS,
    LEAST_ANSWERS,
    MARKERS,
    OPEN,
    Row,
    bounded,
    decide,
    digests,
    draw,
    fit_exponent,
    median_words,
    read_rows,
    share_words,
    table,
)

from exactdrl.campaigns.criteria import CRITERIA, FALL, number
from exactdrl.campaigns.statistics import Share, summarise, wilson

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PUBLISHED = "4,5,4,3,2,1 N=500 bits=53 reference"
ASKED = (
    "decay-loss",
    "decay-distance",
    "decay-length",
    "decay-together",
    "tuning-slower",
    "tuning-longer",
    "density-control",
    "density-turned",
)
# quantity and width of the mean in the table of falls, the criterion's spread and least parts there
DECAYS = {
    "decay-loss": ("gap", 0, 2.0, 6),
    "decay-distance": ("distance", 0, 2.0, 6),
    "decay-length": ("mean", 40, 4.0, 6),
    "decay-together": ("together", 40, 2.0, 6),
}
TRIED_FALLS = (3.0, 5.0, 10.0, 20.0)


def half_life(row: Row, quantity: str, power: int) -> float | None:
    """Returns the steps in which a quantity halves at the certified rate of its window; of a square, the root's."""
    rate = number(row, f"window_{quantity}_rate_float")
    return None if rate is None or not 0 < rate < 1 else power * math.log(2) / -math.log(rate)


def after_share(row: Row) -> float | None:
    """Returns the share of the steps that come after the loss gap's window."""
    end, steps = number(row, "window_loss_gap_to"), number(row, "steps")
    return None if end is None or not steps else 1 - end / steps


SCALED: tuple[tuple[str, Callable[[Row], float | None]], ...] = (
    ("steps", lambda row: number(row, "steps")),
    ("half-life of the loss gap in its window, steps", lambda row: half_life(row, "loss_gap", 1)),
    ("half-life of the distance in its window, steps", lambda row: half_life(row, "squared_distance", 2)),
    ("C/c of the loss gap in its window", lambda row: number(row, "window_loss_gap_spread_float")),
    ("loss gap: falls in its window by the factor", lambda row: number(row, "window_loss_gap_fall_float")),
    (
        "kinks at the last vertex over those as far from the origin",
        lambda row: number(row, "density_ratio_turned_float"),
    ),
    ("share of the steps after the loss gap's window", after_share),
    ("final loss", lambda row: number(row, "final_loss_float")),
)


def short(group: str) -> str:
    """Returns a group's name without what all have in common."""
    return group.replace(" bits=53", "").replace(" reference", "")


# -- shares


def missing(rows: Sequence[Row]) -> int:
    """Returns how many runs of a group have no answer though they may have one: over their limit, or undecided."""
    return sum(row["status"] != "done" or row["outcome"] == "undecided" for row in rows)


def answers(rows: Sequence[Row], name: str) -> Share:
    """Returns how often a criterion holds, with an interval that holds whatever the missing runs would answer."""
    criterion = next(criterion for criterion in CRITERIA if criterion.name == name)
    found = [answer for row in rows if row["status"] == "done" and (answer := criterion.holds(row)) is not None]
    return bounded(sum(found), len(found), missing(rows))


def by_group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Returns the rows of each group, in the table's order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return groups


def full_size(groups: dict[str, list[Row]], samples: int) -> dict[str, list[Row]]:
    """Returns the groups with the published number of samples and the published rule, of which the paper speaks."""
    return {
        name: rows for name, rows in groups.items() if rows[0]["samples"] == samples and rows[0]["rule"] == "reference"
    }


def wilson_of(share: Share) -> Share:
    """Returns the same share with the interval that forgets missing runs."""
    return wilson(share.count, share.total)


def are_apart(shares: Sequence[Share]) -> bool:
    """Returns whether two groups' intervals have nothing in common."""
    asked = [share for share in shares if share.total >= LEAST_ANSWERS]
    return bool(asked) and max(share.low for share in asked) > min(share.high for share in asked)


# -- sensitivity


def fall_share(falls: Sequence[Row], fall: float, lost: int) -> Share:
    """Returns the share of runs with at least such a fall."""
    return bounded(sum(row["fall"] >= fall for row in falls), len(falls), lost)


def choose(falls: Sequence[Row], quantity: str, mean: int, spread: float, parts: int) -> list[Row]:
    """Returns a choice's rows."""
    return [
        row
        for row in falls
        if (row["quantity"], row["mean"], row["parts"]) == (quantity, mean, parts)
        and abs(row["spread"] - spread) < 0.01
    ]


def sensitivity(falls: Sequence[Row], lost: int) -> tuple[str, dict[str, tuple[int, int]]]:
    """Returns a table of shares under other constants, and of how many choices give each criterion the same word."""
    lines, agree = [], {}
    for name, (quantity, mean, spread, parts) in DECAYS.items():
        means = sorted({row["mean"] for row in falls if row["quantity"] == quantity})
        spreads = sorted({round(row["spread"], 2) for row in falls if row["quantity"] == quantity})
        words = {
            (width, fall, allowed, least): decide(
                [fall_share(choose(falls, quantity, width, allowed, least), fall, lost)]
            )
            for width in means
            for fall in TRIED_FALLS
            for allowed in spreads
            for least in (3, 6, 12)
        }
        default = words[mean, FALL, spread, parts]
        agree[name] = (sum(word == default for word in words.values()), len(words))
        choices = [
            ("as fixed", mean, FALL, spread, parts),
            *((f"falls by {fall:g}", mean, fall, spread, parts) for fall in TRIED_FALLS if fall != FALL),
            *((f"C/c at most {allowed:g}", mean, FALL, allowed, parts) for allowed in spreads if allowed != spread),
            *((f"window of {least}/24 of the steps", mean, FALL, spread, least) for least in (3, 12)),
            *((f"mean of {width} lengths", width, FALL, spread, parts) for width in means if width != mean),
        ]
        for label, width, fall, allowed, least in choices:
            share = fall_share(choose(falls, quantity, width, allowed, least), fall, lost)
            lines.append((name, label, share_words(share), words[width, fall, allowed, least]))
    return table(("criterion", "constants", "runs", "word"), lines), agree


def margins(rows: Sequence[Row], lost: int) -> str:
    """Returns how far other criteria are from turning: shares with stricter and laxer constants."""
    lines = []
    for label, measure, bounds in (
        ("speed of the loss after the window over that in it, below", ratio_of_speeds, (0.25, 0.5, 1.0)),
        ("running mean at the end over that after the window, above", growth, (0.5, 1.0, 2.0)),
        ("kinks at the last vertex over those as far from the origin, above", turned, (1.0, 1.1, 1.25)),
        ("kinks at the last vertex over those in the walk's box, above", control, (1.0, 1.1, 1.25)),
    ):
        known = [value for row in rows if row["status"] == "done" and (value := measure(row)) is not None]
        for bound in bounds:
            count = sum(value < bound if label.endswith("below") else value > bound for value in known)
            lines.append((f"{label} {bound:g}", share_words(bounded(count, len(known), lost))))
    return table(("criterion", "runs"), lines)


def ratio_of_speeds(row: Row) -> float | None:
    """Returns the loss's speed after the window over that in it."""
    after, within = number(row, "after_loss_speed_float"), number(row, "window_loss_speed_float")
    return None if after is None or not within else after / within


def growth(row: Row) -> float | None:
    """Returns the running mean at the end over that right after the window."""
    return number(row, "after_length_growth_float")


def turned(row: Row) -> float | None:
    """Returns the density at the last vertex over that as far from the origin."""
    return number(row, "density_ratio_turned_float")


def control(row: Row) -> float | None:
    """Returns the density at the last vertex over that in the walk's box."""
    return number(row, "density_ratio_control_float")


# -- scaling


def scaling(rows: Sequence[Row], size: Callable[[Row], float], sizes: str) -> tuple[str, dict[str, str]]:
    """Returns a table of medians by size with exponents, and the exponents alone."""
    places = sorted({size(row) for row in rows})
    lines, exponents = [], {}
    for label, measure in SCALED:
        known = [(size(row), value) for row in rows if row["status"] == "done" and (value := measure(row)) is not None]
        cells = [median_words(summarise([value for at, value in known if at == place])) for place in places]
        found = fit_exponent(known)
        exponents[label] = "none" if found is None else str(found)
        lines.append((label, *cells, exponents[label]))
    for label, holds in (
        ("walks with a step out of a degenerate vertex", lambda row: (number(row, "degenerate_exits") or 0) > 0),
        ("walks on which the published rule stops wrongly", lambda row: (number(row, "wrong_stops") or 0) > 0),
        ("ends proved to be minima", lambda row: row["outcome"] in {"local-minimum", "strict-local-minimum"}),
    ):
        cells = []
        for place in places:
            own = [row for row in rows if size(row) == place]
            done = [row for row in own if row["status"] == "done"]
            cells.append(share_words(bounded(sum(map(holds, done)), len(done), len(own) - len(done))))
        lines.append((label, *cells, ""))
    head = ("", *(f"{sizes} = {place:g}" for place in places), "exponent")
    return table(head, lines), exponents


# -- figures


def draw_shapes(shapes: Sequence[Row], path: Path) -> None:
    """Draws ten runs as small multiples: loss gap, running mean of 40 lengths, distance, each over its greatest."""
    names = list(dict.fromkeys(row["name"] for row in shapes))

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(2, 5, sharey=True, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            own = [row for row in shapes if row["name"] == name]
            steps = [row["step"] for row in own]
            for colour, label, values in (
                (COLOURS[0], "loss gap", [row["loss"] - own[-1]["loss"] for row in own]),
                (COLOURS[1], "running mean of 40 lengths", [row["mean"] for row in own]),
                (COLOURS[2], "distance to the end", [row["distance"] for row in own]),
            ):
                top = max(value for value in values if value is not None)
                drawn = [math.nan if not value or value <= 0 else value / top for value in values]
                axes.plot(steps, drawn, color=colour, lw=0.7, label=label)
            axes.set_yscale("log")
            axes.set_ylim(1e-4, 1.5)
            axes.set_title(f"seed {name.rpartition('_s')[2]}", fontsize=8)
            axes.ticklabel_format(axis="x", style="sci", scilimits=(3, 3))
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        if names:
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        figure.supxlabel("step", fontsize=8)
        figure.supylabel("over the greatest value", fontsize=8)

    draw(path, (9.2, 4.2), fill)


def draw_shares(groups: dict[str, list[Row]], path: Path) -> None:
    """Draws the share of runs in which each criterion holds, with its interval, by group."""

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        for place, (name, rows) in enumerate(groups.items()):
            shift = (place - (len(groups) - 1) / 2) * 0.75 / max(len(groups), 1)
            for line, asked in enumerate(ASKED):
                share = answers(rows, asked)
                if share.total:
                    colour = COLOURS[place % len(COLOURS)]
                    axes.plot([share.low, share.high], [line + shift] * 2, color=colour, lw=1)
                    axes.plot(
                        [share.count / share.total],
                        [line + shift],
                        color=colour,
                        marker=MARKERS[place % len(MARKERS)],
                        ms=3.5,
                        ls="",
                        label=short(name) if line == 0 else None,
                    )
        axes.axvline(0.5, color="0.4", lw=0.8, ls=(0, (4, 2)))
        axes.set_yticks(range(len(ASKED)), ASKED)
        axes.set_ylim(len(ASKED) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("share of runs in which the criterion holds, with 95 % interval")
        if axes.get_legend_handles_labels()[1]:
            figure.legend(loc="outside upper left", ncols=3)

    draw(path, (7.2, 5.2), fill)


def draw_sensitivity(falls: Sequence[Row], path: Path) -> None:
    """Draws the share of runs that fall by at least a factor, against the factor, for each spread."""
    factors = [10 ** (exponent / 20) for exponent in range(61)]

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(1, len(DECAYS), sharey=True)
        for axes, (name, (quantity, mean, spread, parts)) in zip(panels, DECAYS.items(), strict=True):
            spreads = sorted({round(row["spread"], 2) for row in falls if row["quantity"] == quantity})
            for place, allowed in enumerate(spreads):
                own = choose(falls, quantity, mean, allowed, parts)
                shares = [fall_share(own, factor, 0) for factor in factors]
                heights = [share.count / share.total if share.total else math.nan for share in shares]
                is_fixed = allowed == spread
                label = f"C/c ≤ {allowed:g}"
                axes.plot(factors, heights, color=COLOURS[place], lw=1.8 if is_fixed else 0.8, label=label)
            axes.axvline(FALL, color="0.4", lw=0.8, ls=(0, (4, 2)))
            axes.axhline(0.5, color="0.4", lw=0.8, ls=(0, (4, 2)))
            axes.set_xscale("log")
            axes.set_title(name, fontsize=8)
            axes.set_xlabel("falls by at least")
        panels[0].set_ylabel("share of runs")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=5)

    draw(path, (9.2, 2.9), fill)


# -- the page


def values(tables: Path, figures: Path, published: str = PUBLISHED) -> dict[str, str]:
    """Returns the page's numbers and words, and draws its figures; a test may take another group for the published."""
    rows, falls = read_rows(tables / "walks.parquet"), read_rows(tables / "falls.parquet")
    groups = by_group(rows)
    paper = groups[published]
    chosen = full_size(groups, paper[0]["samples"])
    lost = missing(paper)
    names = {row["name"] for row in paper}
    own = [row for row in falls if row["name"] in names]
    draw_shapes(read_rows(tables / "shapes.parquet"), figures / "hinz-ten-runs.svg")
    draw_shares(groups_to_draw(groups, paper[0]["samples"]), figures / "hinz-shares.svg")
    draw_sensitivity(own, figures / "hinz-sensitivity.svg")
    sensitive, agree = sensitivity(own, lost)
    together = choose(own, "together", 40, 2.0, 6)
    by_samples = [row for row in rows if row["widths"] == "4,5,4,3,2,1" and row["rule"] == "reference"]
    by_width = [row for row in rows if row["samples"] == 200 and row["rule"] == "reference" and row["status"] == "done"]
    sample_table, sample_exponents = scaling(by_samples, lambda row: float(row["samples"]), "N")
    width_table, _ = scaling(by_width, lambda row: float(row["parameters"]), "n") if by_width else ("", {})
    wrong = [row for row in rows if (number(row, "wrong_stops") or 0) > 0]
    shares = {name: {group: answers(own_rows, name) for group, own_rows in groups.items()} for name in ASKED}
    words = {name: decide([shares[name][group] for group in chosen]) for name in ASKED}
    finished = {name: decide([wilson_of(shares[name][group]) for group in chosen]) for name in ASKED}
    found = {
        "runs": str(len(rows)),
        "asked": str(walks.asked_of_all()),
        "groups": table(
            ("group", "runs", "of seeds asked", "over the limit or undecided", "steps, median"),
            [
                (
                    short(name),
                    str(len(own_rows)),
                    str(asked_seeds(own_rows)),
                    str(missing(own_rows)),
                    median_words(summarise([value for row in own_rows if (value := number(row, "steps"))])),
                )
                for name, own_rows in groups.items()
            ],
        ),
        "answers": table(
            ("criterion", *map(short, chosen), "word", "of the finished runs alone"),
            [
                (name, *(share_words(shares[name][group]) for group in chosen), words[name], finished[name])
                for name in ASKED
            ],
        ),
        "answers_other": table(
            ("criterion", *(short(name) for name in groups if name not in chosen)),
            [(name, *(share_words(shares[name][group]) for group in groups if group not in chosen)) for name in ASKED],
        ),
        "sensitivity": sensitive,
        "margins": margins(paper, lost),
        "agree": table(
            ("criterion", "choices of constants with the same word"),
            [(name, f"{same} of {total}") for name, (same, total) in agree.items()],
        ),
        "scaling_samples": sample_table,
        "scaling_parameters": width_table,
        "steps_exponent": sample_exponents["steps"],
        "together": table(
            ("all three fall in a common window by at least", "runs"),
            [(f"{fall:g}", share_words(fall_share(together, fall, lost))) for fall in (1.5, 2.0, 3.0, 5.0, 10.0)],
        ),
        "quantile": quantile_words(together, lost),
        "wrong_stops": f"{len(wrong)} of {sum(row['status'] == 'done' for row in rows)}",
        "outcomes": table(
            ("outcome", "runs"), [(name, str(count)) for name, count in sorted(Counter(map(outcome, rows)).items())]
        ),
        "published_loss": share_words(shares["decay-loss"][published]),
        "published_distance": share_words(shares["decay-distance"][published]),
        "published_length": share_words(shares["decay-length"][published]),
        "published_together": share_words(shares["decay-together"][published]),
        "published_slower": share_words(shares["tuning-slower"][published]),
        "digests": digests(tables / f"{name}.parquet" for name in ("walks", "falls", "shapes")),
    }
    found |= {f"word_{name.replace('-', '_')}": word for name, word in words.items()}
    found |= {f"finished_{name.replace('-', '_')}": word for name, word in finished.items()}
    return found | similar(shares, chosen, words) | checked_words(tables / "verified.parquet")


def checked_words(path: Path) -> dict[str, str]:
    """Returns how many certificates were put through which check, and what it said."""
    found: dict[str, list[Row]] = {"checker": [], "fast": []}
    for row in read_rows(path) if path.exists() else []:
        found[row["method"]].append(row)
    return {
        f"checked_{method}": f"{sum(row['verdict'] == 'accepted' for row in rows)} of {len(rows)}"
        for method, rows in found.items()
    }


def groups_to_draw(groups: dict[str, list[Row]], samples: int) -> dict[str, list[Row]]:
    """Returns the groups with the published number of samples: so many can be told apart."""
    return {name: rows for name, rows in groups.items() if rows[0]["samples"] == samples}


def asked_seeds(rows: Sequence[Row]) -> int:
    """Returns how many seeds docs/known/hinz.toml asks of a group."""
    return walks.asked(rows[0]["group"])


def outcome(row: Row) -> str:
    """Returns what a run came to."""
    return str(row["outcome"]) if row["status"] == "done" else f"over the limit ({row['reason']})"


def quantile_words(together: Sequence[Row], lost: int) -> str:
    """Returns at which quantile of the runs one stands whose three quantities all fall by ten in one window."""
    if not together:
        return "unknown"
    share = bounded(sum(row["fall"] < FALL for row in together), len(together), lost)
    return f"{share.count / share.total:.0%} of the finished runs [{share.low:.0%}, {share.high:.0%}]"


def similar(shares: dict[str, dict[str, Share]], chosen: dict[str, list[Row]], words: dict[str, str]) -> dict[str, str]:
    """Returns what "the results were always similar" and "no systematic behaviour" come to."""
    apart = [name for name in ASKED if are_apart([shares[name][group] for group in chosen])]
    counted = sum(
        any(share.total >= LEAST_ANSWERS for share in [shares[name][group] for group in chosen]) for name in ASKED
    )
    asked = sum(len(rows) >= LEAST_ANSWERS for rows in chosen.values())
    word = OPEN if asked < 2 or not counted else HOLDS if not apart else CONDITIONS if len(apart) < counted else FAILS
    longer = words["tuning-longer"]
    return {
        "apart": ", ".join(f"`{name}`" for name in apart) or "none",
        "word_similar": word,
        # a behaviour that most runs of every group have, or few, is systematic
        "word_unsystematic": FAILS if longer in {HOLDS, FAILS} else HOLDS if longer == CONDITIONS else OPEN,
    }
