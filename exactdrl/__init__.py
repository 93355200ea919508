"""exactdrl: exact walks over the vertices of a ReLU network's layer-wise L1 loss, with certificates.

```python
from exactdrl import Walk, record_walk, sample_experiment, verify, write_instance

instance = sample_experiment(samples=40, seed=0)
walk = Walk(instance)
write_instance(instance, "a.json")
outcome = record_walk(walk, "a.drl")
print(outcome, walk.steps, walk.loss, verify("a.json", "a.drl").line)
```

Every number is an exact `gmpy2.mpq`.
"""

from exactdrl.cells.kinks import Kink
from exactdrl.certificate.reader import Certificate, read_certificate
from exactdrl.certificate.record import record_walk
from exactdrl.certificate.rerun import rerun
from exactdrl.certificate.verify import CheckResult, verify, verify_fast
from exactdrl.doors.sample import sample_experiment
from exactdrl.exact.rationals import InputError, parse_rational, to_float, to_text
from exactdrl.minimality.verdict import LocalMinimum, StrictLocalMinimum, Undecided
from exactdrl.problem.file import read_instance, write_instance
from exactdrl.problem.instance import Instance, Layer
from exactdrl.series.export import Point, export, points
from exactdrl.walks.driver import Outcome, Step, StepLimit, Unbounded, Walk

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "CheckResult",
    "InputError",
    "Instance",
    "Kink",
    "Layer",
    "LocalMinimum",
    "Outcome",
    "Point",
    "Step",
    "StepLimit",
    "StrictLocalMinimum",
    "Unbounded",
    "Undecided",
    "Walk",
    "export",
    "parse_rational",
    "points",
    "read_certificate",
    "read_instance",
    "record_walk",
    "rerun",
    "sample_experiment",
    "to_float",
    "to_text",
    "verify",
    "verify_fast",
    "write_instance",
]
