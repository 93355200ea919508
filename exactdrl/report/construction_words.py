"""The words for embedded points, spurious minima and global minima, for people and for programs."""

from exactdrl.certificate.verdict_file import verdict_name
from exactdrl.constructions.embed import Embedded, is_borne_out
from exactdrl.constructions.plain_network import PlainNetwork
from exactdrl.constructions.spurious import SpuriousMinimum
from exactdrl.exact.rationals import to_float, to_text
from exactdrl.hidden_cells.branch import GlobalMinimum, GlobalUndecided
from exactdrl.hidden_cells.setting import Setting
from exactdrl.report.point_words import verdict_fields, verdict_lines
from exactdrl.report.words import loss_words


def embedded_fields(found: Embedded) -> dict[str, object]:
    """Returns an embedded point, and what the theory says of it, as a JSON object."""
    prediction, theory = found.prediction, None
    if prediction is not None:
        theory = {
            "stays_stationary": prediction.stays_stationary,
            "stays_minimum": prediction.stays_minimum,
            "reason": prediction.reason,
            "agrees": is_borne_out(found),
        }
    return {"before": verdict_fields(found.before), "after": verdict_fields(found.after), "theory": theory}


def embedded_lines(found: Embedded) -> list[str]:
    """Returns the same in lines for a person."""
    prediction, agrees = found.prediction, is_borne_out(found)
    lines = [f"before       {verdict_name(found.before)}", "after:"]
    lines += [f"  {line}" for line in verdict_lines(found.after)]
    if prediction is None:
        return [
            *lines,
            "theory       it covers one hidden layer with one output alone, at points where the loss has no kink",
        ]
    stationary = "stays stationary" if prediction.stays_stationary else "does not stay stationary"
    minimum = "a local minimum stays one" if prediction.stays_minimum else "a local minimum does not stay one"
    lines.append(f"theory       a stationary point {stationary}, {minimum} ({prediction.reason})")
    if agrees is not None:
        lines.append(f"             the verdicts {'agree' if agrees else 'DISAGREE: this is a bug'}")
    return lines


def _layers_json(network: PlainNetwork) -> list[dict[str, object]]:
    return [
        {
            "weight": [[to_text(entry) for entry in row] for row in layer.weight],
            "bias": None if layer.bias is None else [to_text(entry) for entry in layer.bias],
        }
        for layer in network.layers
    ]


def spurious_fields(found: SpuriousMinimum) -> dict[str, object]:
    """Returns a spurious minimum as a JSON object."""
    return {
        "verdict": "local-minimum",
        "by": "affine-fit",
        "loss": to_text(found.loss),
        "loss_float": to_float(found.loss),
        "radius": to_text(found.radius),
        "better": None if found.better is None else _layers_json(found.better),
        "better_loss": None if found.better_loss is None else to_text(found.better_loss),
        "valley": [_layers_json(point) for point in found.valley],
    }


def spurious_words(found: SpuriousMinimum) -> list[str]:
    """Returns the same in lines for a person."""
    lines = [
        "verdict      local minimum in all parameters: the best affine fit, within one linear piece",
        f"loss         {loss_words(found.loss)}",
        f"radius       {to_text(found.radius)} in every parameter",
    ]
    if found.better_loss is None:
        lines.append("better       no better point was found; whether there is one is open")
    else:
        lines.append(f"better       {loss_words(found.better_loss)}: the minimum is spurious")
    segments = len(found.valley) - 1
    lines.append(f"valley       a polyline of {segments} segment{'s' * (segments != 1)} with the same loss")
    return lines


def global_fields(setting: Setting, found: GlobalMinimum | GlobalUndecided) -> dict[str, object]:
    """Returns the least loss of a small network as a JSON object."""
    is_proved = isinstance(found, GlobalMinimum)
    network = found.network
    return {
        "loss": to_text(found.loss) if is_proved else None,
        "loss_float": to_float(found.loss) if is_proved else None,
        "mean": to_text(found.loss / len(setting.targets)) if is_proved else None,
        "units": setting.units,
        "proved": is_proved,
        "least": to_text(found.loss if isinstance(found, GlobalMinimum) else found.bound),
        "most": to_text(found.loss),
        "weights": [[to_text(entry) for entry in row] for row in network.units],
        "outer": [to_text(entry) for entry in network.outer],
        "constant": to_text(network.constant),
        "parts": found.nodes,
    }


def global_words(setting: Setting, found: GlobalMinimum | GlobalUndecided) -> list[str]:
    """Returns the same in lines for a person."""
    head = f"{setting.units} unit{'s' * (setting.units > 1)}, {setting.loss} loss, {len(setting.targets)} samples"
    if isinstance(found, GlobalMinimum):
        lines = [f"global       {loss_words(found.loss)}", f"mean         {to_text(found.loss / len(setting.targets))}"]
    else:
        lines = [f"at least     {loss_words(found.bound)}", f"at most      {loss_words(found.loss)}"]
    lines.insert(0, f"network      {head}")
    for weights, outer in zip(found.network.units, found.network.outer, strict=True):
        lines.append(f"unit         weights {' '.join(map(to_text, weights))}, outer weight {to_text(outer)}")
    if setting.has_output_bias:
        lines.append(f"constant     {to_text(found.network.constant)}")
    lines.append(f"parts        {found.nodes} parts of the parameter space were bounded")
    return lines
