"""Named problems on real data that comes with statsmodels and scikit-learn. Nothing is downloaded.

The data of `stackloss`, `longley`, `engel`, `lad-diabetes` and `iris` are the decimals in the packages' own files,
never floats. The first four instances are the same on every machine. The networks of `iris` and `diabetes` are the
result of a training in floats, which may differ between machines and versions of scikit-learn. A walk's certificate
names the instance file, so that it does not depend on such differences.
"""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import NamedTuple

from exactdrl.doors.arrays import Data, from_regression
from exactdrl.doors.extras import import_extra
from exactdrl.doors.scikit import from_mlp_regressor
from exactdrl.doors.sheet import Sheet
from exactdrl.doors.sheet_text import TextForm, decode_text, parse_sheet
from exactdrl.exact.rationals import InputError, to_float
from exactdrl.problem.instance import Instance, Samples, to_matrix

# The smallest seeds whose training leaves two units that are on for some samples and off for others. (Of the first 40
# seeds, 5 on iris and 4 on diabetes do; the others leave more units that are on, or off, for all samples.)
IRIS_SEED = 8
DIABETES_SEED = 2
# Enough for both trainings to converge (83 and 428 with scikit-learn 1.9)
ITERATIONS = 2000


class Dataset(NamedTuple):
    """A named problem.

    Attributes:
        description: the problem in one line.
        extra: the extra of exactdrl that installs the package with its data.
        load: returns the instance; raises `InputError` where the package is missing or holds no such data.
    """

    description: str
    extra: str
    load: Callable[[], Instance]


def load_stackloss() -> Instance:
    """Returns least absolute deviations of stack loss on three columns and an intercept, 21 samples.

    Raises:
        InputError: statsmodels is missing.
    """
    return _load_statsmodels("stackloss", "STACKLOSS", ("AIRFLOW", "WATERTEMP", "ACIDCONC"))


def load_longley() -> Instance:
    """Returns least absolute deviations of employment on six columns and an intercept, 16 samples; ill-conditioned.

    Raises:
        InputError: statsmodels is missing.
    """
    return _load_statsmodels("longley", "TOTEMP", ("GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"))


def load_engel() -> Instance:
    """Returns least absolute deviations of food expenditure on income and an intercept, 235 samples.

    Three samples are repeated.

    Raises:
        InputError: statsmodels is missing.
    """
    return _load_statsmodels("engel", "foodexp", ("income",))


def load_lad_diabetes() -> Instance:
    """Returns least absolute deviations of disease progression on ten unscaled columns and an intercept, 442 samples.

    Raises:
        InputError: scikit-learn is missing.
    """
    inputs = _read_sklearn("diabetes_data_raw.csv.gz", has_header=False, delimiter=" ")
    targets = _read_sklearn("diabetes_target.csv.gz", has_header=False)
    return from_regression(inputs.numbers(range(10)), targets.numbers([0]))


def load_iris() -> Instance:
    """Returns a trained 3-3-1 network on iris, petal width from the other three columns; layer 1 is trained.

    The data are the file's decimals, multiples of 0.1, so that kinks of many samples meet. The network is trained on
    the floats nearest to these decimals.

    Raises:
        InputError: scikit-learn is missing.
    """
    # The file's first row holds counts and the species' names, not the columns' names
    sheet = _read_sklearn("iris.csv", has_header=True)
    return _train(Data(sheet.numbers([0, 1, 2]), sheet.numbers([3])), units=3, seed=IRIS_SEED)


def load_diabetes() -> Instance:
    """Returns a trained 10-4-1 network on diabetes as `sklearn.datasets.load_diabetes` scales it; layer 1 is trained.

    The scaled columns are floats, taken as the dyadic rationals that they are.

    Raises:
        InputError: scikit-learn is missing.
    """
    inputs, targets = import_extra("sklearn.datasets", "scikit-learn", "sklearn").load_diabetes(return_X_y=True)
    data = Data(to_matrix(inputs, "data.inputs"), to_matrix(targets.reshape(-1, 1), "data.targets"))
    return _train(data, units=4, seed=DIABETES_SEED)


DATASETS: dict[str, Dataset] = {
    "stackloss": Dataset("least absolute deviations, 21 samples, 3 columns", "statsmodels", load_stackloss),
    "longley": Dataset("least absolute deviations, 16 samples, 6 columns", "statsmodels", load_longley),
    "engel": Dataset("least absolute deviations, 235 samples, 1 column", "statsmodels", load_engel),
    "lad-diabetes": Dataset("least absolute deviations, 442 samples, 10 columns", "sklearn", load_lad_diabetes),
    "iris": Dataset("trained network 3-3-1, 150 samples on a grid of 0.1", "sklearn", load_iris),
    "diabetes": Dataset("trained network 10-4-1, 442 samples", "sklearn", load_diabetes),
}


# the columns of the data sets that are regressions, the target last
_TABLES: dict[str, tuple[str, ...]] = {
    "stackloss": ("AIRFLOW", "WATERTEMP", "ACIDCONC", "STACKLOSS"),
    "longley": ("GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR", "TOTEMP"),
    "engel": ("income", "foodexp"),
    "fair": (
        "rate_marriage",
        "age",
        "yrs_married",
        "children",
        "religious",
        "educ",
        "occupation",
        "occupation_husb",
        "affairs",
    ),
    "diabetes": ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"),
}
TABLES = tuple(_TABLES)


def load_table(name: str) -> Sheet:
    """Returns a named table of statsmodels or scikit-learn, with its decimals as written and its target as last column.

    Raises:
        InputError: the name is unknown, or the package with the data is missing.
    """
    if name not in _TABLES:
        raise InputError(f"table is {name!r}; one of {', '.join(TABLES)} is needed")
    names = _TABLES[name]
    if name == "diabetes":
        # the unscaled columns, whose files have no names
        inputs = _read_sklearn("diabetes_data_raw.csv.gz", has_header=False, delimiter=" ")
        targets = _read_sklearn("diabetes_target.csv.gz", has_header=False)
        return replace(inputs, names=names, columns=(*inputs.columns, *targets.columns))
    sheet = _read_statsmodels(name)
    return replace(sheet, names=names, columns=tuple(sheet.columns[i] for i in sheet.column_indices(names)))


def load_dataset(name: str) -> Instance:
    """Returns a named problem on real data.

    Args:
        name: a key of `DATASETS`: `stackloss`, `longley`, `engel`, `lad-diabetes`, `iris` or `diabetes`.

    Raises:
        InputError: the name is unknown, or the package with the data is missing.
    """
    if name not in DATASETS:
        raise InputError(f"dataset is {name!r}; one of {', '.join(DATASETS)} is needed")
    return DATASETS[name].load()


def _load_statsmodels(name: str, target: str, inputs: Sequence[str]) -> Instance:
    sheet = _read_statsmodels(name)
    named = sheet.column_indices(inputs)
    return from_regression(sheet.numbers(named), sheet.numbers([sheet.column_index(target)]))


def _read_statsmodels(name: str) -> Sheet:
    parts = ("datasets", name, f"{name}.csv")
    return _read_resource("statsmodels", "statsmodels", "statsmodels", parts, has_header=True, delimiter=",")


def _read_sklearn(file: str, *, has_header: bool, delimiter: str = ",") -> Sheet:
    parts = ("datasets", "data", file)
    return _read_resource("sklearn", "scikit-learn", "sklearn", parts, has_header=has_header, delimiter=delimiter)


def _read_resource(
    module: str, package: str, extra: str, parts: Sequence[str], *, has_header: bool, delimiter: str
) -> Sheet:
    """Returns the table in a file that comes with a package, from the file's text."""
    import_extra(module, package, extra)
    place = "/".join((module, *parts))
    try:
        content = files(module).joinpath(*parts).read_bytes()
    except OSError as error:
        raise InputError(f"{place}: the installed {package} has no such file ({error.strerror or error})") from None
    if place.endswith(".gz"):
        content = gzip.decompress(content)
    form = TextForm(delimiter=delimiter, decimal=".", has_header=has_header)
    return parse_sheet(decode_text(content, place)[0], place, form)


def _train(data: Data, *, units: int, seed: int) -> Instance:
    """Returns the problem of a network with one hidden layer, trained by scikit-learn with fixed settings."""
    network = import_extra("sklearn.neural_network", "scikit-learn", "sklearn")
    regressor = network.MLPRegressor(
        hidden_layer_sizes=(units,), activation="relu", solver="lbfgs", random_state=seed, max_iter=ITERATIONS
    )
    regressor.fit(_to_floats(data.inputs), [row[0] for row in _to_floats(data.targets)])
    return from_mlp_regressor(regressor, data.inputs, data.targets)


def _to_floats(matrix: Samples) -> list[list[float]]:
    return [[to_float(value) for value in row] for row in matrix]
