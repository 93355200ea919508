"""Computes the page on density: kinks and cells at minima against those at other points."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from density import PARTS, QUARTERS
from evidence import (
    COLOURS,
    CONDITIONS,
    FAILS,
    HOLDS,
    MARKERS,
    OPEN,
    Row,
    decide,
    digests,
    draw,
    median_words,
    read_rows,
    share_words,
    table,
)

from exactdrl.campaigns.criteria import number
from exactdrl.campaigns.statistics import Share, summarise, wilson

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPARED = (
    ("minimum", "equal", "a minimum against a point of the same loss that is no minimum"),
    ("minimum", "minimum turned", "a minimum against the same distance from 0, unit by unit"),
    ("equal", "equal turned", "a point of that loss that is no minimum against the same distance from 0"),
    *(
        ("minimum", f"walk {q}/{QUARTERS}", f"a minimum against its walk after {q}/{QUARTERS} of the steps")
        for q in range(QUARTERS)
    ),
)
COUNTS = ("kinks", "cells")

# the counts of one seed: by place and parts
Counts = dict[tuple[str, int], int]


def read_counts(path: Path, column: str) -> tuple[list[Counts], int]:
    """Returns the counts of each seed with a pair of walks, and how many seeds have none or were over their limit."""
    seeds: dict[int, Counts] = {}
    lost = 0
    for row in read_rows(path):
        if row["place"] in {"none", "limit"}:
            lost += 1
        else:
            seeds.setdefault(row["seed"], {})[row["place"], row["parts"]] = row[column]
    return list(seeds.values()), lost


def compare(seeds: Sequence[Counts], one: str, two: str, parts: int) -> tuple[Share, list[float]]:
    """Returns the share of seeds with more at one place than at the other, and the ratios."""
    pairs = [(counts[one, parts], counts[two, parts]) for counts in seeds]
    return wilson(sum(a > b for a, b in pairs), len(pairs)), [a / b for a, b in pairs if b]


def combine(words: Sequence[str]) -> str:
    """Returns a claim's verdict from those of its parts: holds or fails if all do, with conditions if some do."""
    if all(word == HOLDS for word in words):
        return HOLDS
    if all(word == FAILS for word in words):
        return FAILS
    return CONDITIONS if {HOLDS, CONDITIONS} & {*words} else OPEN


def draw_ratios(known: dict[str, list[Counts]], path: Path) -> None:
    """Draws each seed's ratio of counts for every comparison, by count and size of the window."""

    def fill(figure: "Figure") -> None:
        panels = figure.subplots(1, len(COUNTS), sharey=True, squeeze=False)[0]
        for axes, count in zip(panels, COUNTS, strict=True):
            for at, (one, two, _) in enumerate(COMPARED):
                for shift, parts in enumerate(PARTS):
                    ratios = compare(known[count], one, two, parts)[1]
                    place = at + 0.3 * (shift - 0.5)
                    label = f"within 1/{parts}" if at == 0 else None
                    drawn = [ratio for ratio in ratios if ratio > 0]
                    look = {"color": COLOURS[shift], "ms": 3, "alpha": 0.5, "mew": 0, "label": label}
                    axes.plot(drawn, [place] * len(drawn), MARKERS[shift], **look)
                    found = summarise(ratios)
                    if found.interval is not None:
                        axes.plot(found.interval, [place, place], color=COLOURS[shift], lw=1.5)
            axes.axvline(1, color="0.4", lw=0.8, ls=(0, (4, 2)))
            axes.set_xscale("log")
            axes.set_title(count, fontsize=8)
            axes.set_xlabel("ratio of counts; bars: the median's interval")
        panels[0].set_yticks(range(len(COMPARED)), [f"{one} : {two}" for one, two, _ in COMPARED])
        panels[0].set_ylim(len(COMPARED) - 0.5, -0.5)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)

    draw(path, (8.2, 3.6), fill)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Returns Spearman's rank correlation of pairs, ties in the order in which they come."""
    ranks: list[list[int]] = []
    for column in zip(*pairs, strict=True):
        rank: list[int] = [0] * len(pairs)
        for place, at in enumerate(sorted(range(len(pairs)), key=column.__getitem__)):
            rank[at] = place
        ranks.append(rank)
    size = len(pairs)
    apart: int = sum((a - b) * (a - b) for a, b in zip(*ranks, strict=True))
    return 1 - 6 * apart / (size * (size**2 - 1))


def correlations(rows: Sequence[Row], parts: int, column: str, with_column: str) -> str:
    """Returns the median over seeds of the rank correlation of a count with another number, over the seed's points."""
    seeds: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        if row["parts"] == parts:
            seeds.setdefault(row["seed"], []).append((row[with_column], row[column]))
    return median_words(summarise([rank_correlation(pairs) for pairs in seeds.values() if len(pairs) > 1]), 2)


def campaign_rows(tables: Path) -> tuple[str, str]:
    """Returns the campaign's comparison by group, and the word for points as far from 0."""
    groups: dict[str, list[Row]] = {}
    for row in read_rows(tables / "walks.parquet"):
        if row["status"] == "done" and number(row, "breakpoints_last") is not None:
            groups.setdefault(row["group"], []).append(row)
    lines, shares = [], []
    for group, rows in groups.items():
        cells = []
        for other in ("turned", "control"):
            pairs = [(row["breakpoints_last"], row[f"breakpoints_{other}"]) for row in rows]
            share = wilson(sum(a > b for a, b in pairs), len(pairs))
            cells += [share_words(share), median_words(summarise([a / b for a, b in pairs if b]))]
            if other == "turned":
                shares.append(share)
        lines.append((group.replace(" bits=53", "").replace(" reference", ""), *cells))
    head = ("group", "denser than as far from 0", "ratio", "denser than in the walk's box", "ratio")
    return table(head, lines), decide(shares)


def values(tables: Path, figures: Path) -> dict[str, str]:
    """Returns the page's numbers and words, and draws its figure."""
    paths = {"kinks": tables / "lines.parquet", "cells": tables / "cells.parquet"}
    read = {count: read_counts(path, count) for count, path in paths.items()}
    known = {count: found[0] for count, found in read.items()}
    draw_ratios(known, figures / "density-ratios.svg")
    lines = []
    words: dict[tuple[str, str], list[str]] = {}
    for count in COUNTS:
        for one, two, label in COMPARED:
            for parts in PARTS:
                share, ratios = compare(known[count], one, two, parts)
                word = decide([share])
                words.setdefault((one, two), []).append(word)
                lines.append((count, label, f"1/{parts}", share_words(share), median_words(summarise(ratios)), word))
    by_group, campaign_word = campaign_rows(tables)
    turned = combine([*words["minimum", "minimum turned"], campaign_word])
    equal = combine(words["minimum", "equal"])
    first = combine(words["minimum", f"walk 0/{QUARTERS}"])
    later = combine([word for q in range(1, QUARTERS) for word in words["minimum", f"walk {q}/{QUARTERS}"]])
    rows = {count: [row for row in read_rows(path) if row["parts"]] for count, path in paths.items()}
    every = sum(row["kinks"] for row in rows["kinks"] if row["place"] == "minimum")
    residual = sum(row["residual_kinks"] for row in rows["kinks"] if row["place"] == "minimum")
    return {
        "comparisons": table(("counted", "compared", "within", "seeds with more", "median ratio", "word"), lines),
        "campaign": by_group,
        "word_turned": turned,
        "word_equal": equal,
        "word_first": first,
        "word_later": later,
        "word": combine([turned, equal, first, later]),
        "cells_equal": share_words(compare(known["cells"], "minimum", "equal", PARTS[0])[0]),
        "cells_turned": share_words(compare(known["cells"], "minimum", "minimum turned", PARTS[0])[0]),
        "kinks_equal": share_words(compare(known["kinks"], "minimum", "equal", PARTS[0])[0]),
        "kinks_half": share_words(compare(known["kinks"], "minimum", f"walk {QUARTERS // 2}/{QUARTERS}", PARTS[0])[0]),
        "kinks_turned": share_words(compare(known["kinks"], "minimum", "minimum turned", PARTS[0])[0]),
        "ranks": table(
            ("counted", "with the distance from 0", "with the loss"),
            [
                (count, *(correlations(rows[count], PARTS[0], count, other) for other in ("norm", "loss")))
                for count in COUNTS
            ],
        ),
        "residual_share": f"{residual / every:.1%}" if every else "none",
        "pairs": "; ".join(
            f"{count}: {len(found[0])} pairs, {found[1]} seeds without" for count, found in read.items()
        ),
        "digests": digests([*paths.values(), tables / "walks.parquet"]),
    }
