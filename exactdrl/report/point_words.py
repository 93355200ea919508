"""The words for verdicts on points, for people and for programs."""

from dataclasses import replace

from gmpy2 import mpq

from exactdrl.certificate.verdict_file import status_name
from exactdrl.exact.rationals import to_float, to_text
from exactdrl.points.germ import Descent
from exactdrl.points.judge import JudgedPoint
from exactdrl.points.setting import Setting, Theta, find_loss
from exactdrl.points.verdict import AffineProof, FormProof, MarginProof, Minimum, NotMinimum, Undecided, ZeroLoss
from exactdrl.report.parameter_words import Rows, direction_words, handy_exponent, legend_words, point_lines
from exactdrl.report.words import loss_words

# units that are listed one by one
_LISTED = 8
_POWERS = {1: "", 2: "²", 3: "³"}
_PROOFS = {
    FormProof: "the first-order change of the loss is nowhere negative: a tree of tangent cells",
    MarginProof: "the first-order test holds for all outer weights nearby",
    AffineProof: "near it the network is affine on the samples, and no affine function is better",
    ZeroLoss: "the loss is 0, and nowhere negative",
}


def checked_words(judged: JudgedPoint) -> str:
    """Returns what was checked: which changes, of which parameters, for which loss."""
    setting = judged.setting
    loss = "squared" if setting.is_squared else "two-slope"
    if len(setting.free) == 1:
        return f"all changes of layer {setting.free[0] + 1}, the other layers fixed; {loss} loss"
    return f"all changes of all parameters of {len(setting.slopes)} layers at once; {loss} loss"


def verdict_words(judged: JudgedPoint) -> str:
    """Returns the verdict in a sentence."""
    match judged.verdict:
        case Minimum(proof, is_strict):
            kind = "strict local minimum" if is_strict else "local minimum"
            return f"{kind} ({_PROOFS[type(proof)]})"
        case NotMinimum(is_unbounded=True):
            return "unbounded: the loss falls forever along a line that meets no kink"
        case NotMinimum(descent, is_stationary):
            descent = _handy(descent)
            if is_stationary:
                return "not a local minimum: stationary, but the loss falls along a curve"
            if descent.order == 1:
                return "not a local minimum, not even stationary: the loss has a negative slope in a direction"
            return "not a local minimum"
        case Undecided(reason):
            return f"undecided: {reason}"


def _theta_text(theta: Theta) -> list[list[list[str]]]:
    return [[[to_text(value) for value in row] for row in matrix] for matrix in theta]


def _short(values: tuple[mpq, ...]) -> str:
    return "(" + ", ".join(to_text(value) for value in values) + ")"


def verdict_lines(judged: JudgedPoint) -> list[str]:
    """Returns what is known of a point, in lines for a person."""
    setting = judged.setting
    lines = [f"checked      {checked_words(judged)}", f"verdict      {verdict_words(judged)}"]
    lines.append(f"loss         {'sum ' * setting.is_squared}{loss_words(judged.loss)}")
    if setting.is_squared:
        lines.append(f"             mean {loss_words(judged.mean_loss)}, over samples and outputs")
    lines.append(f"kinks        {judged.active} active at the point")
    lines += _unit_lines(judged)
    if judged.is_affine_fit:
        lines.append("affine fit   on the samples the network is the affine function with the least squared loss")
    match judged.verdict:
        case NotMinimum(descent):
            descent = _handy(descent)
            lines.append("curve        t > 0 moves the point, and the loss falls at once:")
            lines += [
                f"             t{_POWERS.get(power, f'^{power}')} moves {direction_words(_named(setting, part))}"
                for power, part in enumerate(descent.curve, 1)
                if any(value for rows in part for row in rows for value in row)
            ]
            lines.append(f"             at t = {to_text(descent.at)} the loss is {loss_words(descent.loss)}")
            lines.append(
                f"             ({legend_words([entry for part in descent.curve for entry in _named(setting, part)])})"
            )
        case Minimum(is_strict=False, flat=flat):
            if flat is not None:
                lines.append(f"flat along   a move of {direction_words(_named(setting, flat))}, which keeps the loss")
                lines.append(f"             ({legend_words(_named(setting, flat))})")
            if len(setting.free) > 1:
                lines.append(
                    "not strict   no minimum in all parameters is strict: a unit's inner weights times a and its outer "
                    "weights divided by a give the same function"
                )
    if judged.better is not None:
        better = find_loss(setting, judged.better)
        lines.append(f"spurious     another point has a smaller loss, {loss_words(better)}:")
        lines += [f"             {line}" for line in point_lines(_named(setting, judged.better))]
    return lines


def _named(setting: Setting, theta: Theta) -> list[tuple[int, Rows, bool]]:
    """Returns the rows of each layer with its number, and whether their last column is a bias."""
    return [(layer, rows, bool(setting.biases[layer - 1])) for layer, rows in enumerate(theta, 1)]


def _handy(descent: Descent) -> Descent:
    """Returns a descent along the same curve, with t in a unit that makes the lowest moving power's numbers short."""
    for power, part in enumerate(descent.curve, 1):
        entries = [value for rows in part for row in rows for value in row]
        if any(entries):
            factor = mpq(2) ** (handy_exponent(entries) // power)
            curve = tuple(_scaled(part, factor**power) for power, part in enumerate(descent.curve, 1))
            coefficient = descent.coefficient * factor**descent.order
            return replace(descent, curve=curve, coefficient=coefficient, at=descent.at / factor)
    return descent


def _scaled(theta: Theta, factor: mpq) -> Theta:
    return tuple(tuple(tuple(factor * value for value in row) for row in rows) for rows in theta)


def _unit_lines(judged: JudgedPoint) -> list[str]:
    dead = ", ".join(f"layer {layer + 1} unit {unit}" for layer, unit in judged.dead[:_LISTED])
    more = f" and {len(judged.dead) - _LISTED} more" if len(judged.dead) > _LISTED else ""
    lines = [f"dead units   {dead + more if dead else 'none'}"]
    if not judged.escapes:
        lines.append(f"escape units {'not determined here' if judged.escapes is None else 'none'}")
        return lines
    lines += [
        f"escape unit  {escape.unit}: its inner weights may move along {_short(escape.direction)} at slope 0, and then "
        f"its outer weights gain the slope {_short(escape.rates)}"
        for escape in judged.escapes[:_LISTED]
    ]
    if len(judged.escapes) > _LISTED:
        lines.append(f"             and {len(judged.escapes) - _LISTED} more escape units")
    return lines


def verdict_fields(judged: JudgedPoint) -> dict[str, object]:
    """Returns what is known of a point as a JSON object."""
    setting = judged.setting
    hidden = setting.free[0] if len(setting.free) == 1 else 0
    result: dict[str, object] = {
        "verdict": status_name(judged),
        "checked": checked_words(judged),
        "free": setting.free[0] + 1 if len(setting.free) == 1 else "all",
        "loss": to_text(judged.loss),
        "loss_float": to_float(judged.loss),
        "mean_loss": to_text(judged.mean_loss),
        "active": judged.active,
        "dead_units": [unit for layer, unit in judged.dead if layer == hidden],
        "dead": [[layer + 1, unit] for layer, unit in judged.dead],
        "escape_units": [escape.unit for escape in judged.escapes or ()],
        "escapes": None
        if judged.escapes is None
        else [
            {
                "unit": escape.unit,
                "direction": [to_text(value) for value in escape.direction],
                "rates": [to_text(value) for value in escape.rates],
            }
            for escape in judged.escapes
        ],
        "is_affine_fit": judged.is_affine_fit,
    }
    match judged.verdict:
        case Minimum(proof, _, flat):
            names = {FormProof: "tree", MarginProof: "margins", AffineProof: "affine", ZeroLoss: "zero-loss"}
            result["is_stationary"] = True
            result["by"] = names[type(proof)]
            result["flat_direction"] = None if flat is None else _theta_text(flat)
        case NotMinimum(descent, is_stationary):
            result["is_stationary"] = is_stationary
            result["curve"] = [_theta_text(part) for part in descent.curve]
            result["at"] = to_text(descent.at)
            result["loss_at"] = to_text(descent.loss)
        case Undecided(reason):
            result["reason"] = reason
    if judged.better is not None:
        result["better"] = _theta_text(judged.better)
        result["better_loss"] = to_text(find_loss(setting, judged.better))
    return result
