"""What a hostile file can cost the stand-alone checker: every attack of proofs/attacks.md, held by a bound.

Each runs in a process of its own with limits on memory and processor time. `python tests/test_checker_attacks.py [CHECKER]` prints
the page's figures.
"""

import gzip
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from test_checker_slopes import write_certificate
from test_corpus import CHECKER, load_checker, patched, run

HERE = Path(__file__).parent
LIMIT = "import resource, runpy, sys; memory, seconds = map(int, sys.argv[1:3]); "
LIMIT += "resource.setrlimit(resource.RLIMIT_AS, (memory << 20,) * 2); "
LIMIT += "resource.setrlimit(resource.RLIMIT_CPU, (seconds,) * 2); path = sys.argv[3]; del sys.argv[:3]; "
LIMIT += "told = sys.argv.pop(1); "
LIMIT += (
    "import atexit; told == '1' and atexit.register(lambda: open(2, 'w').write(open('/proc/self/status').read())); "
)
LIMIT += "runpy.run_path(path, run_name='__main__')"


def write(folder, content, lines):
    """Files of an instance and a run, compressed."""
    text = (content if isinstance(content, str) else json.dumps(content)).encode("ascii")
    files = folder / "a.json.gz", folder / "a.drl.gz"
    files[0].write_bytes(gzip.compress(text, 1))
    files[1].write_bytes(gzip.compress(write_certificate(hashlib.sha256(text).hexdigest(), lines).encode("ascii"), 1))
    return files


def make(inputs, targets, layers=None):
    layers = layers or [{"weight": [["0"] * len(inputs[0])], "bias": None}]
    content = {"format": "exactdrl-instance", "version": 1, "network": {"layers": layers}, "layer": 1}
    return content | {"loss": {"kind": "absolute"}, "data": {"inputs": inputs, "targets": targets}}


def zeros(count):
    return "0" * -(-count // 4)


def make_proportional(folder, n=3000):
    """Kinks that are all multiples of one."""
    lines = [
        {"vertex": {"pattern": [zeros(n)], "basis": [[1, 0, 0]]}},
        {"outcome": "strict-local-minimum", "by": "likq"},
    ]
    return write(folder, make([[i + 1] for i in range(n)], [[0]] * n), lines)


def make_active(folder, n=3000):
    """Kinks that vanish at one point."""
    vertex = {"pattern": [zeros(n)], "basis": [[1, 0, 0], [1, 1, 0]]}
    return write(
        folder, make([[1, i] for i in range(n)], [[0]] * n), [{"vertex": vertex}, {"outcome": "undecided", "active": n}]
    )


def make_long_inputs(folder, n=3000):
    """Numbers of 10,000 digits, each six characters long."""
    return write(
        folder,
        make([["1e9999"]] * n, [[1]] * n),
        [{"vertex": {"pattern": [zeros(n)], "basis": [[1, 0, 0]]}}, {"outcome": "step-limit"}],
    )


def make_long_multipliers(folder, n=3000):
    """The same in an outcome."""
    settled = [[[1, i, 0], "1e9999"] for i in range(n)]
    outcome = {"outcome": "local-minimum", "by": "tree", "settled": settled, "blocks": []}
    return write(
        folder, make([[1]] * n, [[1]] * n), [{"vertex": {"pattern": [zeros(n)], "basis": [[1, 0, 0]]}}, outcome]
    )


def make_denominators(folder, n=5000):
    """A sample whose numbers have different primes as denominators."""
    sieve = bytearray([1]) * (12 * n)
    for p in range(2, math.isqrt(12 * n) + 1):
        sieve[p * p :: p] = bytes(len(sieve[p * p :: p]))
    primes = [p for p in range(3, 12 * n) if sieve[p]][:n]
    content = make([[f"1/{p}" for p in primes]], [["1"]])
    return write(folder, content, [{"vertex": {"pattern": ["0"], "basis": [[1, 0, 0]]}}, {"outcome": "step-limit"}])


def make_addresses(folder, samples=10_000, layers=2000):
    """Many samples and many layers: a table has their product."""
    network = [{"weight": [["0"]], "bias": None}] * layers
    content = make([[0]] * samples, [[0]] * samples, network)
    return write(folder, content, [{"vertex": {"pattern": ["0"] * layers, "basis": []}}, {"outcome": "step-limit"}])


def make_list(folder, n=3 * 10**6):
    """A list that takes more memory than there is."""
    return write(folder, "[" + "[]," * n + "[]]", [])


def make_nested(folder, n=10**6):
    """Lists in lists."""
    return write(folder, "[" * n, [])


def make_lines(folder, n=100_000):
    """Steps, each as short as can be."""
    steps = [{"flip": [], "leave": [1, 0, 0], "enter": [1, 0, 0]}] * n
    return write(
        folder,
        make([[1]], [[1]]),
        [{"vertex": {"pattern": ["0"], "basis": [[1, 0, 0]]}}, *steps, {"outcome": "step-limit"}],
    )


def make_caterpillar(folder, n=300):
    """A tree whose leaves each take one sign more."""
    leaves = [{"signs": "." * (n - 1 - j) + "+" + "-" * j, "empty": False, "multipliers": [0] * n} for j in range(n)]
    leaves.append({"signs": "-" * n, "empty": False, "multipliers": [0] * n})
    block = {"units": [0], "kinks": [[1, i, 0] for i in range(n)], "leaves": leaves}
    outcome = {"outcome": "strict-local-minimum", "by": "tree", "settled": [], "blocks": [block]}
    vertex = {"pattern": [zeros(n)], "basis": [[1, 0, 0], [1, 1, 0]]}
    return write(folder, make([[1, i] for i in range(n)], [[0]] * n), [{"vertex": vertex}, outcome])


def make_long_vertex(folder, n=20_000):
    """A vertex of 10,000 digits, and many samples with short numbers."""
    vertex = {"pattern": [zeros(n)[:-1] + "1"], "basis": [[1, 0, 0]]}
    lines = [{"vertex": vertex | {"elsewhere": True}}, {"outcome": "step-limit"}]
    return write(folder, make([[1]] * n, [["1e9999"]] + [[0]] * (n - 1)), lines)


def make_tent(_):
    """2^22 breakpoints on a line, from a network of 23 layers."""
    return tuple(HERE / "attacks" / f"tent.{ending}" for ending in ("json", "drl", "claims"))


# What is attacked, the answer, and the bounds that are held: mebibytes of address space and seconds of processor time.
ATTACKS = [
    (make_proportional, "accepted: 0 steps, strict-local-minimum by likq (global)", 128, 10),
    (make_active, "accepted: 0 steps, undecided", 128, 10),
    (make_long_inputs, "malformed: instance: its exponents add up to too much", 64, 10),
    (make_long_multipliers, "malformed: line 3: its exponents add up to too much", 64, 10),
    (make_denominators, "malformed: numbers have too large a common denominator", 128, 10),
    (make_addresses, "malformed: instance: 20000000 addresses, over 16777216", 512, 20),
    (make_list, "failed: not enough memory", 128, 10),
    (make_nested, "malformed: instance: not JSON in ASCII (RecursionError)", 128, 10),
    (make_lines, "rejected: line 3: entering kink (1, 0, 0) is already in the basis", 128, 60),
    (make_caterpillar, "accepted: 0 steps, strict-local-minimum by tree (global)", 128, 30),
    (make_long_vertex, "rejected: line 2: the vertex is outside the cell, at kink (1, 1, 0)", 256, 30),
    (make_tent, "rejected: claim 1: sample 0 has over 65536 pieces", 256, 30),
]


def attack(files, mebibytes, seconds, checker=CHECKER, *, tell=False):
    """The exit code, the line, the errors, processor seconds; with `tell`, errors are what Linux says of the process."""
    command = [sys.executable, "-I", "-S", "-c", LIMIT, str(mebibytes), str(seconds), checker, str(int(tell)), *files]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(list(map(str, command)), stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("ascii"))
    return child.returncode, *texts, usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize(
    ("make_files", "line", "mebibytes", "seconds"), ATTACKS, ids=lambda part: getattr(part, "__name__", "")
)
def test_attack_is_held(tmp_path, make_files, line, mebibytes, seconds):
    """Within the page's bounds there is an answer, in one line."""
    code, out, err, *_ = attack(make_files(tmp_path), mebibytes, seconds)
    assert (out, err) == (f"{line}\n", "")
    assert code == {"accepted": 0, "rejected": 1, "malformed": 2, "failed": 4}[line.split(":")[0]]


def test_no_file_chooses_the_prime(tmp_path):
    """A basis' determinant is a product of the primes behind 2^255 - 19; the first prime that is taken is none of them."""
    checker = load_checker()
    find_prime, primes, product, taken = checker.parts["walks"].find_prime, [2**255 - 19], 1, []
    while len(primes) < 20:
        primes.append(find_prime(primes[-1] + 2))
    for prime in primes:
        product *= prime
    lines = [{"vertex": {"pattern": ["0"], "basis": [[1, 0, 0]]}}, {"outcome": "strict-local-minimum", "by": "likq"}]
    files = write(tmp_path, make([[str(product)]], [["1"]]), lines)

    def find_and_tell(least):
        taken.append(find_prime(least))
        return taken[-1]

    with patched(checker, find_prime=find_and_tell):
        assert run(checker, *files)[0] == 0
    assert len(taken) == 1


def main():
    """Prints a line of the page's table for each attack, without limits."""
    checker = sys.argv[1] if len(sys.argv) > 1 else CHECKER
    for make_files, *_ in ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            files = make_files(Path(folder))
            sizes = "+".join(f"{file.stat().st_size / 1000:.1f}" for file in files)
            _, out, status, seconds = attack(files, 4000, 300, checker, tell=True)
            most = int(re.search(r"VmHWM:\s+([0-9]+) kB", status)[1]) / 1024
            name = make_files.__name__[5:].replace("_", " ")
            sys.stdout.write(f"| {name} | {sizes} | {seconds:.2f} | {most:.0f} | {out.strip()} |\n")


if __name__ == "__main__":
    main()
