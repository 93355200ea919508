"""Every condition of the stand-alone checker is needed: without it, some case of the corpus gets another answer."""

import ast
import types

import pytest
from test_corpus import CHECKER, SPECIAL, STEMS, fits, load_checker, run_case

TREE = ast.parse(CHECKER.read_text("utf-8"))

# Conditions that others imply, by the code of the statement, with the reason. None at present.
IMPLIED: dict[str, str] = {}


def is_guard(node):
    """Whether a statement is nothing but a call of require or demand."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"require", "demand"}


GUARDS = [node for node in ast.walk(TREE) if is_guard(node)]


class Deletion(ast.NodeTransformer):
    """Replaces the guard at one place by `pass`."""

    def __init__(self, guard):
        self.place = (guard.lineno, guard.col_offset)

    def visit_Expr(self, node):
        deleted = (node.lineno, node.col_offset) == self.place
        return ast.copy_location(ast.Pass(), node) if deleted else node


def load_mutant(guard):
    tree = Deletion(guard).visit(ast.parse(CHECKER.read_text("utf-8")))
    module = types.ModuleType("mutant")
    exec(compile(tree, "mutant", "exec"), module.__dict__)
    return module


def notices(module, stem):
    try:
        return not fits(stem, *run_case(module, stem))
    except Exception:  # noqa: BLE001  a crash is noticed too
        return True


def notices_special(module, special, line):
    try:
        return special(module) != (2, line)
    except Exception:  # noqa: BLE001
        return True


def find_line_of_refusal(module, stem):
    """The line of check.py whose guard refuses a case."""
    lines = []
    try:
        module.check(*(str(path) for path in sorted(stem.parent.glob(f"{stem.name}.[jd]*"), reverse=True)))
    except (module.Rejected, module.Malformed) as error:
        trace = error.__traceback__
        while trace.tb_next is not None:
            lines.append(trace.tb_lineno)
            trace = trace.tb_next
    return lines[-1] if lines else None


@pytest.fixture(scope="module")
def refusals():
    """Cases by the line of the guard that refuses them."""
    module, found = load_checker(), {}
    for stem in STEMS:
        found.setdefault(find_line_of_refusal(module, stem), []).append(stem)
    return found


def test_guards_are_the_only_way_to_fail():
    """No assert, no raise but those in require and demand, and every call of those is a statement of its own."""
    assert not [node for node in ast.walk(TREE) if isinstance(node, ast.Assert)]
    assert sum(isinstance(node, ast.Raise) for node in ast.walk(TREE)) == 2
    calls = [node for node in ast.walk(TREE) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert sum(call.func.id in {"require", "demand"} for call in calls) == len(GUARDS)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"line {guard.lineno}")
def test_deletion_is_noticed(guard, refusals):
    """Without one require or demand, a verdict or its reason changes, or the checker crashes."""
    mutant = load_mutant(guard)
    own = [stem for line in range(guard.lineno, guard.end_lineno + 1) for stem in refusals.get(line, [])]
    noticed = any(notices(mutant, stem) for stem in own) or any(
        notices_special(mutant, special, line) for special, line in SPECIAL.values()
    )
    assert noticed == (ast.unparse(guard) not in IMPLIED), ast.unparse(guard)
