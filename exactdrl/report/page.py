"""A report as one HTML page that loads nothing, since figures, styles and a script are in it.

Without its script the page says the same; the script draws the walk as a chart that reads out its values, and copies
commands.
"""

import base64
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template

from gmpy2 import mpq

from exactdrl.exact.enclosed import EnclosedNumber
from exactdrl.exact.rationals import to_float, to_number_text, to_text
from exactdrl.minimality.tree.witness import TreeWitness
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.observations.brackets import Bracket
from exactdrl.observations.claims import Claim, EstimateClaim, LineClaim, LossClaim
from exactdrl.observations.density import TrajectoryDensity
from exactdrl.observations.observe import Observations
from exactdrl.observations.series import Series
from exactdrl.problem.names import loss_name
from exactdrl.report.report import Figure, Report
from exactdrl.walks.driver import StepLimit, Unbounded

_LONGEST_EXACT = 400
# characters of a fraction in the table of parameters, and points of the chart
_LONGEST_ENTRY, _MOST_POINTS = 16, 2000
_MINUS = "\N{MINUS SIGN}"
_QUANTITIES = {
    "loss-gap": "loss gap",
    "squared-distance": "squared distance to the last vertex",
    "length-sum": "running mean of step lengths",
}


def to_html(report: Report) -> str:
    """Returns the page. Every text that comes from a file or its name is escaped."""
    folder = files("exactdrl.report")
    template = Template((folder / "report.html").read_text(encoding="utf-8"))
    title = f"Walk {report.run_name}"
    words, why = _verdict(report)
    loss = loss_name(report.instance.loss)
    last = report.found.trajectory.last
    return template.substitute(
        title=escape(title),
        heading=escape(title),
        subtitle=escape(f"An exact walk over the vertices of the loss ({loss}) of {report.instance_name}."),
        verdict=escape(words),
        verdict_class=_verdict_class(report),
        check=escape(f"{why} {_check_words(report)}"),
        facts=_rows(_facts(report)),
        chart_words=escape(_chart_words(report.series)),
        chart_data=_chart_data(report.series),
        quantities="".join(f"<option>{escape(name)}</option>" for name in _chart_values(report.series)),
        vertex_words=escape(_vertex_words(report)),
        vertex_count=sum(map(len, last)),
        layer=report.instance.layer,
        vertex=_vertex_table(last, has_bias=report.instance.has_bias),
        figures="\n".join(_figure(figure, report) for figure in report.figures),
        observations="\n".join(_observations(report.found)),
        claims_status=escape(_claims_words(report)),
        claims_count=f"All {len(report.found.claims)} claims",
        claims="\n".join(_claims(report)),
        commands="\n".join(
            f'<li><code>{escape(line)}</code><button type="button" class="copy" hidden>copy</button></li>'
            for line in commands(report)
        ),
        hashes=_rows([(name, digest, "hash") for name, digest in report.hashes]),
        versions=_rows([(name, number, "") for name, number in report.versions]),
        script=(folder / "chart.js").read_text(encoding="utf-8"),
    )


def commands(report: Report) -> list[str]:
    """Returns the commands that reproduce the report, for a shell; names are quoted where they need it."""
    instance, run = (_quoted(name) for name in (report.instance_name, report.run_name))
    header = report.certificate.header
    return [
        f"python3 -I -S proofs/check.py {instance} {run}",
        f"exactdrl verify {instance} {run}",
        f"exactdrl rerun {instance} {run}",
        f"exactdrl walk {instance} -o again.drl --rule {header.rule} --start-rule {header.start_rule}",
        f"exactdrl observe {instance} {run} -o run.claims --lines {report.lines} --seed {report.seed}",
        f"exactdrl plot {instance} {run} -o figures --lines {report.lines} --seed {report.seed}",
        f"exactdrl report {instance} {run} -o report.html --lines {report.lines} --seed {report.seed}",
    ]


def _quoted(name: str) -> str:
    # a name that begins with a hyphen would be read as an option
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


# -- verdict


def _verdict(report: Report) -> tuple[str, str]:
    match report.certificate.outcome:
        case StrictLocalMinimum(by, witness):
            return "Strict local minimum", _witness_words(by, witness)
        case LocalMinimum(by, witness):
            return "Local minimum (strictness is not claimed)", _witness_words(by, witness)
        case Undecided(active):
            return (
                "Undecided",
                f"{active} active kinks meet at the last vertex; minimality is neither proved nor refuted.",
            )
        case Unbounded():
            return "Unbounded", "The loss falls forever along a ray that meets no kink."
        case StepLimit() | None:
            return "Stopped by a limit", "The walk says nothing about minimality."


def _verdict_class(report: Report) -> str:
    """Returns the verdict's look: what is proved never looks like a warning, and is green where it was checked."""
    if isinstance(report.certificate.outcome, (StrictLocalMinimum, LocalMinimum, Unbounded)):
        return "stated" if report.check is None else "proved"
    return "open"


def _witness_words(by: str, witness: TreeWitness | None) -> str:
    if witness is not None:
        leaves = sum(len(block.leaves) for block in witness.blocks)
        return (
            f"Witness: a tree of tangent cells ({len(witness.settled)} settled kinks, {len(witness.blocks)} blocks, "
            f"{leaves} leaves, each with Farkas multipliers)."
        )
    return {
        "likq": "Witness: the linear-independence kink qualification; multipliers follow from the last vertex.",
        "zero-loss": "Witness: the loss is 0 there, and nowhere negative.",
        "bound": "Witness: the ranges of the network's outputs allow no smaller loss.",
    }.get(by, f"Witness: {by}.")


def _check_words(report: Report) -> str:
    if report.check is None:
        return "The stand-alone checker was not run for this report."
    return f"Stand-alone checker: {report.check.line}"


# -- facts


def _facts(report: Report) -> list[tuple[str, str, str]]:
    instance, certificate, found = report.instance, report.certificate, report.found
    widths = [len(instance.inputs[0]), *(len(layer.weight) for layer in instance.layers)]
    stops = [step.index for step in certificate.steps if step.is_published_stop]
    first, last = found.trajectory.losses[0], found.final_loss
    rows = [
        ("network", f"widths {', '.join(map(str, widths))}; layer {instance.layer} is trained", ""),
        ("data", f"{len(instance.inputs)} samples", ""),
        ("parameters", _parameters(report), ""),
        ("rules", f"pivot rule {certificate.header.rule}, start rule {certificate.header.start_rule}", ""),
        ("steps", f"{found.steps:,}", ""),
        ("loss at the first vertex", f"{to_float(first):.10g}", ""),
        ("loss at the last vertex", f"{to_float(last):.10g}", ""),
        ("the same, exactly", _exact(last), "exact"),
    ]
    if certificate.header.rule == "reference":
        words = f"before step {', '.join(map(str, stops))}" if stops else "nowhere"
        rows.append(("the published rule stops at a vertex that is no minimum", words, ""))
    return rows


def _parameters(report: Report) -> str:
    problem = report.problem
    if not problem.lineality:
        return str(problem.dimension)
    return f"{problem.dimension}; along {problem.lineality} further directions the loss does not change at all"


def _exact(value: mpq) -> str:
    text = to_text(value)
    if len(text) <= _LONGEST_EXACT:
        return text
    return f"a fraction of {len(text):,} characters: {text[:60]}... ; `exactdrl export` writes it"


def _rows(rows: Sequence[tuple[str, str, str]]) -> str:
    return "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>'
        f"{escape(value)}</td></tr>"
        for name, value, kind in rows
    )


# -- the walk as a chart


def _chart_values(series: Series) -> dict[str, Sequence[float]]:
    return {
        "loss gap": series.gap,
        "loss": series.loss,
        "step length": series.length,
        "distance to the last vertex": series.distance,
    }


def _chart_places(series: Series) -> list[int]:
    """Returns which points the chart shows: all, or evenly spaced ones, the first and the last among them."""
    count = len(series.loss)
    if count <= _MOST_POINTS:
        return list(range(count))
    return sorted({round(k * (count - 1) / (_MOST_POINTS - 1)) for k in range(_MOST_POINTS)})


def _chart_words(series: Series) -> str:
    count, shown = len(series.loss), len(_chart_places(series))
    some = f"It shows {shown:,} of the {count:,} points. " if shown < count else ""
    return (
        f"The chart needs a browser that runs scripts; it loads nothing. {some}Move along it with the pointer or the "
        "slider; drag across it to enlarge a part. Numbers are rounded to six digits."
    )


def _chart_data(series: Series) -> str:
    places = _chart_places(series)
    steps = series.steps
    values = {
        name: [None if math.isnan(column[i]) else float(f"{column[i]:.6g}") for i in places]
        for name, column in _chart_values(series).items()
    }
    # the data holds only numbers and the names above, so that nothing in it can end the HTML element
    return json.dumps({"steps": [steps[i] for i in places], "values": values}, separators=(",", ":"))


# -- the last vertex


def _vertex_words(report: Report) -> str:
    last = report.found.trajectory.last
    rounded = [[mpq(to_float(value)) for value in row] for row in last]
    more = to_float(report.instance.loss_of(rounded) - report.found.final_loss)
    change = f"{more:+.3g}".replace("-", _MINUS)
    return (
        f"Its parameters are fractions. Rounded to float64 they are no vertex any more: there the loss differs by "
        f"{change}, computed exactly. `exactdrl show` prints the parameters, with `--exact` however long they are."
    )


def _vertex_table(rows: Sequence[Sequence[mpq]], *, has_bias: bool) -> str:
    inputs = len(rows[0]) - has_bias
    heads = ["unit", *(f"input {k}" for k in range(1, inputs + 1)), *(["bias"] if has_bias else [])]
    top = "".join(f'<th scope="col" class="number">{head}</th>' for head in heads)
    body = "\n".join(
        f'<tr><th scope="row" class="number">{number}</th>'
        + "".join(f'<td class="number">{_short(value)}</td>' for value in row)
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f"<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>"


def _short(value: mpq) -> str:
    text = to_text(value)
    return text if len(text) <= _LONGEST_ENTRY else f"{to_float(value):.10g}".replace("-", _MINUS)


# -- figures


def _figure(figure: Figure, report: Report) -> str:
    alt, caption = _figure_words(figure.name, report.found)
    content = base64.b64encode(figure.content).decode("ascii")
    return (
        f'<figure><img alt="{escape(alt)}" src="data:{figure.media_type};base64,{content}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _figure_words(name: str, found: Observations) -> tuple[str, str]:
    """Returns a figure's text for those who do not see it, and its caption."""
    losses, end = found.trajectory.losses, found.phases.decay_end
    phase = "no decay phase" if end is None else f"the decay phase ends at step {end:,}"
    curve = "A curve against the step, logarithmic:"
    if name == "loss":
        first, last = (f"{to_float(loss):.4g}" for loss in (losses[0], losses[-1]))
        alt = f"{curve} the loss falls from {first} to {last} in {found.steps:,} steps; below it the loss gap; {phase}."
        caption = "Loss, and loss minus the last loss. Dotted: the certified bracket of the decay phase."
    elif name == "lengths":
        alt = f"{curve} the mean length of {found.window} consecutive steps; {phase}."
        caption = f"Mean length of {found.window} consecutive steps. Dashed: the end of the loss gap's decay phase."
    elif name == "distance":
        start = to_float(found.trajectory.squared_distances[0]) ** 0.5
        alt = f"{curve} the distance to the last vertex, {start:.4g} at the first vertex and 0 at the last; {phase}."
        caption = "Distance to the last vertex."
    else:
        alt = "Two plots against the radius: vertices of the walk around the last, and kinks per length on lines."
        caption = (
            "Left: vertices of the walk around the last. Right: kinks on lines through the last vertex and on lines "
            "of the same directions through random points of the box that holds the walk."
        )
    return alt, caption


# -- observations


def _observations(found: Observations) -> Iterator[str]:
    end, spread = found.phases.decay_end, escape(to_number_text(found.phases.spread))
    if end is None:
        yield "<p>No decay phase was found: no beginning of at least ten steps on which the loss gap stays within a "
        yield f"factor {spread} of a geometric sequence.</p>"
    else:
        yield f"<p>The decay phase, in which the loss gap stays within a factor {spread} of a geometric sequence, "
        yield f"lasts from step 0 to step {end:,} of {found.steps:,} ({100 * end / found.steps:.0f} %).</p>"
        yield _table(
            "Certified brackets of a quantity q: c ρ^k ≤ q_k / q_0 ≤ C ρ^k throughout. With C/c = 1 the quantity would "
            "be exactly exponential; with ρ above 1 it grows",
            ("quantity", "steps", "ρ", "c", "C", "C/c"),
            [_bracket_cells(bracket) for bracket in found.brackets],
            numbers=5,
        )
    yield _table(
        "The final loss, estimated from losses up to a step alone; relative errors",
        ("after", "step", "the loss itself", "Aitken, exact", "fitted exponential"),
        [
            (
                f"{100 * to_float(row.share):.0f} %",
                f"{row.step:,}",
                *(_percent(row.estimates[i].error) for i in (0, 1)),
                "none" if row.fit_error is None else _signed(100 * row.fit_error),
            )
            for row in found.estimates
            if row.share.denominator in {2, 4, 10, 20} and row.share.numerator * 20 // row.share.denominator in _SHOWN
        ],
        numbers=4,
    )
    rows = [row for row in found.density_rows if row.last + row.control]
    if rows:
        yield _table(
            "Kinks on lines within a radius, counted exactly; with a ratio above 1 they are denser at the last vertex",
            ("radius", "through the last vertex", "through control points", "ratio"),
            [
                (
                    to_number_text(row.radius),
                    f"{row.last:,}",
                    f"{row.control:,}",
                    "none" if row.ratio is None else f"{to_float(row.ratio):.2f}",
                )
                for row in rows
            ],
            numbers=4,
        )


# twentieths of the walk that the page shows
_SHOWN = frozenset({5, 10, 15, 18, 19})


def _bracket_cells(bracket: Bracket) -> tuple[str, ...]:
    spread = "none" if bracket.spread is None else f"{to_float(bracket.spread):.4g}"
    numbers = (bracket.rate, bracket.low, bracket.high)
    return (
        _QUANTITIES[bracket.quantity],
        f"{bracket.begin:,} to {bracket.end:,}",
        *(to_number_text(number) for number in numbers),
        spread,
    )


def _percent(error: EnclosedNumber | None) -> str:
    return "none" if error is None else _signed(100 * error.to_float())


def _signed(value: float) -> str:
    return f"{value:+.2f} %".replace("-", _MINUS)


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int) -> str:
    """Returns a table whose last `numbers` columns are numbers."""
    first = len(head) - numbers

    def kind(index: int) -> str:
        return ' class="number"' if index >= first else ""

    top = "".join(f'<th scope="col"{kind(index)}>{escape(cell)}</th>' for index, cell in enumerate(head))
    body = "\n".join(
        "<tr>" + "".join(f"<td{kind(index)}>{escape(cell)}</td>" for index, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


# -- claims


def _claims_words(report: Report) -> str:
    count = len(report.found.claims)
    if report.check is None:
        return f"{count} claims, computed exactly by exactdrl. No checker was run for this report."
    if report.can_check_claims:
        return f"{count} claims, each accepted by the stand-alone checker."
    return (
        f"{count} claims, computed exactly by exactdrl. The stand-alone checker of this version accepted the run; it "
        "reads no claims, so these are not independently checked."
    )


def _claims(report: Report) -> Iterator[str]:
    is_checked = report.check is not None and report.can_check_claims
    status = "accepted" if is_checked else "not checked"
    for number, claim in enumerate(report.found.claims, 1):
        cells = f'<td class="number">{number}</td><td>{escape(claim_words(claim))}</td>'
        yield f'<tr>{cells}<td class="status">{status}</td></tr>'


def claim_words(claim: Claim) -> str:
    """Returns a claim in a sentence."""
    text = to_number_text
    match claim:
        case LossClaim(step, low, high):
            return f"The loss after step {step:,} is between {text(low)} and {text(high)}."
        case Bracket():
            what = "decays" if claim.rate < 1 else "grows" if claim.rate > 1 else "stays"
            return (
                f"From step {claim.begin:,} to {claim.end:,} the {_QUANTITIES[claim.quantity]} {what} like ρ^k, "
                f"ρ = {text(claim.rate)}, up to factors from {text(claim.low)} to {text(claim.high)}."
            )
        case EstimateClaim(fraction, begin, end, low, high):
            method = "the loss itself" if not fraction else f"Aitken's extrapolation (f = {text(fraction)})"
            when = f"after step {begin:,}" if begin == end else f"from step {begin:,} to {end:,}"
            return f"As an estimate of the final loss {when}, {method} is off by {_span(low, high)} of it."
        case TrajectoryDensity(radii, counts):
            return (
                f"Within radii from {text(radii[0])} to {text(radii[-1])} around the last vertex lie "
                f"{counts[0]:,} to {counts[-1]:,} vertices of the walk ({len(radii)} exact counts)."
            )
        case LineClaim(step, density):
            where = "a control point" if step is None else "the last vertex"
            return (
                f"On a line through {where} the loss has {density.counts[-1]:,} breakpoints within "
                f"{text(density.radii[-1])} ({len(density.radii)} exact counts)."
            )


def _span(low: mpq, high: mpq) -> str:
    if low == -high:
        return f"at most {100 * to_float(high):g} %"
    return f"{_signed(100 * to_float(low))} to {_signed(100 * to_float(high))}"
