"""Computes the page on trainings: their ends against the minima that the exact walk finds from the same starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import (
    COLOURS,
    MARKERS,
    Row,
    bounded,
    decide,
    digests,
    draw,
    median_words,
    read_rows,
    share_words,
    table,
)

from exactdrl.campaigns.statistics import Share, summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEAR = (0.001, 0.01, 0.1)
ENDS = (("trained_loss", "trained"), ("walked_loss", "trained, then walked"))


def by_setting(rows: Sequence[Row]) -> dict[tuple[str, float], list[Row]]:
    """Returns the rows by method and rate."""
    found: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        found.setdefault((row["method"], row["rate"]), []).append(row)
    return found


def best_of(settings: dict[tuple[str, float], list[Row]]) -> list[tuple[str, float]]:
    """Returns each method with the rate whose median loss over the even seeds is least; the odd ones judge it."""
    best: dict[str, tuple[float, float]] = {}
    for (method, rate), rows in settings.items():
        losses = [row["trained_loss"] for row in rows if row["seed"] % 2 == 0]
        middle = summarise(losses).value
        if middle is not None and (method not in best or middle < best[method][0]):
            best[method] = (middle, rate)
    return [(method, rate) for method, (_, rate) in best.items()]


def lower(rows: Sequence[Row], one: str, two: str) -> Share:
    """Returns how often one loss is below another; missing walks may go either way."""
    known = [row for row in rows if row[one] is not None and row[two] is not None]
    return bounded(sum(row[one] < row[two] for row in known), len(known), len(rows) - len(known))


def near(rows: Sequence[Row], bound: float) -> Share:
    """Returns how often the walk from a training's end reaches a minimum whose loss is lower by at most a part."""
    known = [row for row in rows if row["walked_loss"] is not None]
    count = sum(row["trained_loss"] <= (1 + bound) * row["walked_loss"] for row in known)
    return bounded(count, len(known), len(rows) - len(known))


def draw_losses(settings: dict[tuple[str, float], list[Row]], chosen: Sequence[tuple[str, float]], path: Path) -> None:
    """Draws trained losses, and those after the walk, over the loss of the walk from the same start."""

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        for at, key in enumerate(chosen):
            for side, (column, label) in enumerate(
                (("trained_loss", "trained"), ("walked_loss", "trained, then walked"))
            ):
                rows = [row for row in settings[key] if row[column] is not None and row["walk_loss"] is not None]
                ratios = [row[column] / row["walk_loss"] for row in rows]
                places = [at + 0.3 * (side - 0.5) + 0.006 * row["seed"] for row in rows]
                name = label if at == 0 else None
                axes.plot(places, ratios, MARKERS[side], color=COLOURS[side], ms=4, alpha=0.7, mew=0, label=name)
        axes.axhline(1, color="0.4", lw=0.8, ls=(0, (4, 2)))
        axes.set_xticks(range(len(chosen)), [f"{method}\nrate {rate:g}" for method, rate in chosen])
        axes.set_ylabel("loss over that of the walk's minimum")
        figure.legend(loc="outside upper left", ncols=2)

    draw(path, (5.6, 3.0), fill)


def values(tables: Path, figures: Path) -> dict[str, str]:
    """Returns the page's numbers and words, and draws its figure."""
    rows = read_rows(tables / "training.parquet")
    settings = by_setting(rows)
    chosen = best_of(settings)
    draw_losses(settings, chosen, figures / "training-losses.svg")
    losses, ends, cells = [], [], []
    for key, own in settings.items():
        name = (f"{key[0]}{' (chosen)' if key in chosen else ''}", f"{key[1]:g}")
        ratios = {
            column: [row[column] / row["walk_loss"] for row in own if row[column] is not None and row["walk_loss"]]
            for column in ("trained_loss", "walked_loss")
        }
        losses.append(
            (
                *name,
                *(median_words(summarise(ratios[column])) for column in ratios),
                share_words(lower(own, "trained_loss", "walk_loss")),
                share_words(lower(own, "walked_loss", "walk_loss")),
            )
        )
        walked = [row for row in own if row["walked_loss"] is not None]
        ends.append(
            (
                *name,
                *(share_words(near(own, bound)) for bound in NEAR),
                median_words(summarise([row["distance"] / row["norm"] for row in walked if row["norm"]])),
                median_words(summarise([float(row["more_steps"]) for row in walked])),
                median_words(summarise([row["kinks_between"] / row["kinks"] for row in walked])),
            )
        )
        columns = ("early_changes", "early_cells", "late_changes", "late_cells")
        cells.append((*name, *(median_words(summarise([row[column] for row in own])) for column in columns)))
    tested = {key: [row for row in settings[key] if row["seed"] % 2] for key in chosen}
    is_near = [near(own, NEAR[1]) for own in tested.values()]
    beaten = [lower(own, "walk_loss", "trained_loss") for own in settings_of(settings, chosen)]
    after = [lower(own, "walked_loss", "walk_loss") for own in settings_of(settings, chosen)]
    head = ("method", "rate")
    return {
        "losses": table(
            (
                *head,
                "trained over walk",
                "trained and walked over walk",
                "trained below walk",
                "trained and walked below",
            ),
            losses,
        ),
        "ends": table(
            (
                *head,
                *(f"within {bound:.1%} of the minimum's loss" for bound in NEAR),
                "distance over norm",
                "steps of the walk from there",
                "kinks between, share",
            ),
            ends,
        ),
        "cells": table(
            (*head, "first 20 epochs: kinks that change", "cells", "last 20: kinks that change", "cells"), cells
        ),
        "chosen": ", ".join(f"{method} with rate {rate:g}" for method, rate in chosen),
        "seeds": str(len({row["seed"] for row in rows})),
        "epochs": ", ".join(sorted({str(row["epochs"]) for row in rows})),
        "word_near": decide([near(own, NEAR[1]) for own in settings_of(settings, chosen)]),
        "word_walk_better": decide(beaten),
        "word_after_better": decide(after),
        "beaten": "; ".join(f"{key[0]}: {share_words(share)}" for key, share in zip(chosen, beaten, strict=True)),
        "after": "; ".join(f"{key[0]}: {share_words(share)}" for key, share in zip(chosen, after, strict=True)),
        "near": "; ".join(f"{key[0]}: {share_words(near(settings[key], NEAR[1]))}" for key in chosen),
        "unseen": "; ".join(f"{key[0]}: {share_words(share)}" for key, share in zip(chosen, is_near, strict=True)),
        "digests": digests([tables / "training.parquet"]),
    }


def settings_of(settings: dict[tuple[str, float], list[Row]], chosen: Sequence[tuple[str, float]]) -> list[list[Row]]:
    """Returns the chosen settings' rows."""
    return [settings[key] for key in chosen]
