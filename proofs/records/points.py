"""Makes the records of judged points anew: python proofs/records/points.py FOLDER [NAME ...].

Each record is NAME.json, a point of a network, and NAME.verdict, what `exactdrl judge NAME.json -o NAME.verdict` says
of it; records that end in `-snapped` are made by `exactdrl snap TRAINED.json -o NAME.json` before. Needs exactdrl to be
installed; to check a record nothing is needed but Python: python -I -S proofs/check.py NAME.json NAME.verdict.
"""

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exactdrl import Instance, write_instance
from exactdrl.problem.loss import Loss

HERE = Path(__file__).resolve().parent / "points"
UNDECIDED = 3
HALF = Fraction(1, 2)

# Wu, Simsek and Ged, arXiv:2402.05626, first and third experiment; Boursier and Flammarion, arXiv:2401.10791
W1 = (
    [["-1", "1"], ["-0.6", "1"], ["-0.1", "1"], ["0.3", "1"], ["0.7", "1"]],
    ["0.28", "-0.1", "0.03", "0.23", "-0.22"],
)
W3 = (
    [["-.3", ".5"], ["1", "1"], ["-.6", "-1"], [".4", "-.4"]],
    [[".6", "-.5"], [".5", "-1"], ["-.4", ".6"], [".8", ".2"]],
)
B = ([["-3/4", 1], ["-1/2", 1], ["1/8", 1]], ["11/10", "1/10", "4/5"])
# examples of proofs/all-parameters.md and proofs/embedding.md
CASE_A, CASE_B = ([[0, 1], [1, 1], [2, 1]], [-3, 3, 1]), ([[1], [-1]], [1, 1])
XOR = ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])

Data = tuple[Sequence[Sequence[object]], Sequence[object]]


def shallow(inner: object, outer: object, data: Data, loss: Loss | None = None) -> Instance:
    """Returns a network with one hidden layer and no biases; all parameters are free."""
    targets = [row if isinstance(row, list) else [row] for row in data[1]]
    return Instance.create([(inner, None), (outer, None)], data[0], targets, free="all", loss=loss or Loss.squared())


def train(
    inputs: object, targets: object, *, width: int, deviation: float, rate: float, steps: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns weights (W, H) after full-batch gradient descent in float32 on the mean of squares, without biases.

    Args:
        inputs: shape (N, n_0).
        targets: shape (N, dy).
        width: hidden units.
        deviation: of the normal start.
        rate: of learning.
        steps: how many.
        seed: of the start.
    """
    kind, numbers = np.float32, np.random.default_rng(seed)
    x, y = np.array(inputs, kind), np.array(targets, kind)
    w = numbers.normal(0, deviation, (width, x.shape[1])).astype(kind)
    h = numbers.normal(0, deviation, (y.shape[1], width)).astype(kind)
    step, columns, goals = kind(2 * rate / y.size), np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)
    for _ in range(steps):
        z = w @ columns
        a = np.maximum(z, 0)
        r = h @ a - goals
        moved = ((h.T @ r) * (z > 0)) @ x
        h -= step * (r @ a.T)
        w -= step * moved
    return w, h


def train_w1(seed: int = 0) -> Instance:
    """Returns the end of W1's training: width 50, deviation 50^-3, rate 0.001, 300,000 steps."""
    targets = [[float(y)] for y in W1[1]]
    inputs = [[float(x) for x in row] for row in W1[0]]
    return shallow(*train(inputs, targets, width=50, deviation=50**-3.0, rate=0.001, steps=300_000, seed=seed), W1)


def train_w3(seed: int = 0) -> Instance:
    """Returns the end of W3's training: width 50, deviation 50^-6.5, rate 0.002, 300,000 steps."""
    inputs, targets = ([[float(x) for x in row] for row in part] for part in W3)
    return shallow(*train(inputs, targets, width=50, deviation=50**-6.5, rate=0.002, steps=300_000, seed=seed), W3)


def instances() -> dict[str, Instance]:
    """Returns the records' instances by name, but for trained and snapped ones."""
    line = [Fraction(693, 4630), Fraction(1067, 46300) - Fraction(693, 4630) * Fraction(7, 10)]
    plateau = [Fraction(231, 2690) / 40] * 40
    end = [line[0] / 40] * 40 + [line[1] / 10] * 10
    moved = [["-1", "7/10"]] * 40 + [[0, 0]] * 9 + [["9/1000", "11/1000"]]
    w3 = ([["-1", "-1"], ["-1/2", "1"], ["0", "1"]], [["-1/4", "7/8", "1/16"], ["3/8", "0", "-1"]])
    zero = ([[-2, -2], [-2, -1], [-1, -2], [-1, 2]], [["-45/32", "-1/2", 2, "1/2"], ["-183/32", 8, "1/2", -1]])
    fit = ["-4/65", "251/390"]
    absolute = Loss.absolute()
    return {
        "w1-origin": shallow([[0, 0]] * 50, [[0] * 50], W1),
        "w1-plateau": shallow([["-1", "7/10"]] * 40 + [[0, 0]] * 10, [[*plateau, *[0] * 10]], W1),
        "w1-plateau-left": shallow(moved, [[*plateau, *[0] * 9, "-1/100"]], W1),
        "w1-end": shallow([["-1", "7/10"]] * 40 + [["0", "1"]] * 10, [end], W1),
        "w3-end": shallow(*w3, W3),
        "w3-zero": shallow(*zero, W3),
        "b-width-1": shallow([fit], [[1]], B),
        "b-width-2": shallow([fit] * 2, [[HALF, HALF]], B),
        "case-a": shallow([[1, 0]], [[1]], CASE_A),
        "case-a-halves": shallow([[1, 0]] * 2, [[HALF, HALF]], CASE_A),
        "case-a-copy": shallow([[1, 0]] * 2, [[1, 0]], CASE_A),
        "case-a-negative": shallow([[1, 0]] * 2, [[2, -1]], CASE_A),
        "case-b": shallow([[1]], [[1]], CASE_B),
        "case-b-zero": shallow([[1], [0]], [[1, 0]], CASE_B),
        "case-b-same": shallow([[1], [1]], [[1, 0]], CASE_B),
        "case-b-other": shallow([[1], [-1]], [[1, 0]], CASE_B),
        "absolute-proved": shallow([[1, 0]], [[1]], (CASE_A[0], [-1, 2, 2]), absolute),
        "absolute-open": shallow([[2, 1]], [[0]], ([[1, 0], [0, 1]], [0, 1]), absolute),
    }


def train_xor() -> dict[str, Instance]:
    """Returns the ends of trainings of a 2-2-1 network on XOR by scikit-learn, and by PyTorch for both losses."""
    import torch  # noqa: PLC0415 - optional
    from sklearn.neural_network import MLPRegressor  # noqa: PLC0415 - optional

    def made(parts: Sequence[object], loss: Loss) -> Instance:
        layers = [(parts[0], parts[1]), (parts[2], parts[3])]
        return Instance.create(layers, XOR[0], [[y] for y in XOR[1]], free="all", loss=loss)

    settings = {"activation": "relu", "solver": "lbfgs", "alpha": 0, "random_state": 0, "max_iter": 5000, "tol": 1e-12}
    fitted = MLPRegressor(hidden_layer_sizes=(2,), **settings).fit(*XOR)
    (first, second), (inner, outer) = fitted.coefs_, fitted.intercepts_
    found = {"xor-scikit": made([first.T, inner, second.T, outer], Loss.squared())}
    x, y = (torch.tensor(part, dtype=torch.float32) for part in XOR)
    for loss in (Loss.squared(), Loss.absolute()):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
        descent = torch.optim.SGD(net.parameters(), lr=0.05)
        cooling = torch.optim.lr_scheduler.StepLR(descent, 1000, gamma=1.0 if loss.is_squared else 0.25)
        for _ in range(6000):
            descent.zero_grad()
            r = net(x)[:, 0] - y
            (r * r if loss.is_squared else r.abs()).mean().backward()
            descent.step()
            cooling.step()
        found[f"xor-torch-{loss.kind}"] = made([p.detach().numpy() for p in net.parameters()], loss)
    return found


def make(folder: Path, names: Sequence[str]) -> None:
    """Writes records into a folder, all of them if none is named.

    Raises:
        RuntimeError: a command failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = instances()
    for name, trained in (("w1", train_w1), ("w3", train_w3)):
        if not names or f"{name}-trained" in names or f"{name}-snapped" in names:
            known[f"{name}-trained"] = trained()
    if not names or any(name.startswith("xor") for name in names):
        known |= train_xor()
    for name, instance in known.items():
        snapped = name.replace("-trained", "") + "-snapped"
        is_float = name.endswith("-trained") or name.startswith("xor")
        if names and name not in names and snapped not in names:
            continue
        write_instance(instance, folder / f"{name}.json", force=True)
        run(folder, "judge", f"{name}.json", "-o", f"{name}.verdict", "--force")
        if is_float:
            run(folder, "snap", f"{name}.json", "-o", f"{snapped}.json", "--force")
            run(folder, "judge", f"{snapped}.json", "-o", f"{snapped}.verdict", "--force")


def run(folder: Path, *command: str) -> None:
    """Runs a command in a folder, and prints what it says.

    Raises:
        RuntimeError: it failed.
    """
    print("exactdrl", *command, flush=True)  # noqa: T201
    done = subprocess.run([sys.executable, "-m", "exactdrl_cli", *command], cwd=folder, check=False)  # noqa: S603
    if done.returncode not in (0, UNDECIDED):
        raise RuntimeError(f"{' '.join(command)} ended with exit code {done.returncode}")


if __name__ == "__main__":
    if len(sys.argv) < 2:  # noqa: PLR2004
        sys.exit(__doc__)
    make(Path(sys.argv[1]), sys.argv[2:])
