"""exactdrl: exact verdicts on the loss landscapes of networks with piecewise linear activations, with certificates.

```python
import exactdrl

instance = exactdrl.sample_experiment(samples=40, seed=0)
result = exactdrl.walk(instance)
print(result)  # how it ended, the steps, the loss
print(result.parameters, result.x)  # the last vertex, exact and in float64
print(result.verify().line)  # accepted: ...
```

Every number is an exact `gmpy2.mpq`.
"""

from exactdrl.audits.audit import audit
from exactdrl.cells.kinks import Kink
from exactdrl.certificate.reader import Certificate, read_certificate
from exactdrl.certificate.record import record_walk
from exactdrl.certificate.rerun import rerun
from exactdrl.certificate.verify import CheckResult, verify, verify_fast
from exactdrl.doors.argument import from_network_argument
from exactdrl.doors.sample import sample_experiment
from exactdrl.exact.rationals import InputError, parse_rational, to_float, to_text
from exactdrl.front.walked import WalkResult, read_result, walk
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.observations.observe import observe
from exactdrl.problem.activation import Activation
from exactdrl.problem.file import read_instance, write_instance
from exactdrl.problem.instance import Instance, Layer
from exactdrl.problem.loss import Loss
from exactdrl.series.export import Point, export, points
from exactdrl.walks.driver import Outcome, Step, StepLimit, Unbounded, Walk

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "Certificate",
    "CheckResult",
    "InputError",
    "Instance",
    "Kink",
    "Layer",
    "LocalMinimum",
    "Loss",
    "Outcome",
    "Point",
    "Step",
    "StepLimit",
    "StrictLocalMinimum",
    "Unbounded",
    "Undecided",
    "Walk",
    "WalkResult",
    "audit",
    "export",
    "from_network_argument",
    "observe",
    "parse_rational",
    "points",
    "read_certificate",
    "read_instance",
    "read_result",
    "record_walk",
    "rerun",
    "sample_experiment",
    "to_float",
    "to_text",
    "verify",
    "verify_fast",
    "walk",
    "write_instance",
]
