"""Every condition of the stand-alone checker is needed: without it, some case of the corpus gets another answer."""

import ast
import itertools
import re
from pathlib import Path

import pytest
from test_corpus import CHECKER, CODES, EXITS, FILES, SPECIAL, STEMS, find_inputs, fits, load_checker, run_case

TEXTS = {name: path.read_text("utf-8") for name, path in FILES.items()}
TREES = {name: ast.parse(text) for name, text in TEXTS.items()}
NODES = [(name, node) for name, tree in TREES.items() for node in ast.walk(tree)]

# Conditions that others imply, by a part of the statement's code: the page's table.
IMPLIED = re.findall(r"^\| `(.+?)` \|", (CHECKER.parent / "implied-conditions.md").read_text("utf-8"), re.MULTILINE)


def is_guard(node):
    """Whether a statement is nothing but a call of require or demand."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"require", "demand"}


GUARDS = [(name, node) for name, node in NODES if is_guard(node)]  # with the file they stand in


class Deletion(ast.NodeTransformer):
    """Replaces the guard at one place by `pass`."""

    def __init__(self, guard):
        self.place = (guard.lineno, guard.col_offset)

    def visit_Expr(self, node):
        deleted = (node.lineno, node.col_offset) == self.place
        return ast.copy_location(ast.Pass(), node) if deleted else node


class Replacement(ast.NodeTransformer):
    """Replaces the expression at one place."""

    def __init__(self, node, other):
        self.place, self.other = (node.lineno, node.col_offset, type(node)), other

    def generic_visit(self, node):
        found = (getattr(node, "lineno", None), getattr(node, "col_offset", None), type(node)) == self.place
        return ast.copy_location(self.other, node) if found else super().generic_visit(node)


def load_mutant(name, change):
    tree = ast.fix_missing_locations(change.visit(ast.parse(TEXTS[name])))
    return load_checker(**{name: compile(tree, "mutant", "exec")})


def answer_case(module, stem):
    """The code, and whether it and the reason are as expected; a crash is an answer too."""
    try:
        code, text = run_case(module, stem)
    except Exception as error:  # noqa: BLE001
        return type(error), False
    return code, fits(stem, code, text)


def answer_special(module, special, line):
    try:
        code, text = special(module)
    except Exception as error:  # noqa: BLE001
        return type(error), False
    return code, (code, text) == (EXITS[line.split(":")[0]], line)


def find_line_of_refusal(module, stem):
    """File and line of the checker whose guard refuses a case."""
    lines = []
    try:
        module.check(*map(str, find_inputs(stem)))
    except (module.Rejected, module.Malformed) as error:
        trace = error.__traceback__
        while trace.tb_next is not None:
            lines.append((Path(trace.tb_frame.f_code.co_filename).stem, trace.tb_lineno))
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
    """No assert, no raise but that in require, and every call of require and demand is a statement of its own."""
    assert not [node for _, node in NODES if isinstance(node, ast.Assert)]
    assert sum(isinstance(node, ast.Raise) for _, node in NODES) == 1
    calls = [node for _, node in NODES if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert sum(call.func.id in {"require", "demand"} for call in calls) == len(GUARDS)


def find_own(name, guard, refusals):
    """Cases that a guard refuses."""
    return [stem for line in range(guard.lineno, guard.end_lineno + 1) for stem in refusals.get((name, line), [])]


@pytest.mark.parametrize(("name", "guard"), GUARDS, ids=lambda part: getattr(part, "lineno", part))
def test_deletion_is_noticed(name, guard, refusals):
    """Without one require or demand a verdict changes or the checker crashes; the reason alone where another implies it."""
    mutant = load_mutant(name, Deletion(guard))
    own = find_own(name, guard, refusals)
    trials = itertools.chain(
        ((CODES[stem.parent.name], *answer_case(mutant, stem)) for stem in own),
        ((EXITS[line.split(":")[0]], *answer_special(mutant, special, line)) for special, line in SPECIAL.values()),
    )
    is_noticed, is_implied = False, True
    for right, code, is_same in trials:
        is_noticed |= not is_same
        if code != right:
            is_implied = False
            break
    assert is_noticed, ast.unparse(guard)
    assert is_implied == any(reason in ast.unparse(guard) for reason in IMPLIED), ast.unparse(guard)


def test_every_implied_condition_is_one_of_the_checker():
    """Each line of the page's table means one statement."""
    assert len(IMPLIED) == len(set(IMPLIED)) > 0
    for reason in IMPLIED:
        assert sum(reason in ast.unparse(guard) for _, guard in GUARDS) == 1, reason


def find_conditions(name, guard):
    """The expressions that a guard's condition consists of: its own, or the one that its name was given just before."""
    condition = guard.value.args[0]
    if isinstance(condition, ast.Name):
        bodies = [
            body for node in ast.walk(TREES[name]) for body in (getattr(node, "body", []), getattr(node, "orelse", []))
        ]
        body = next(body for body in bodies if isinstance(body, list) and guard in body)
        before = body[body.index(guard) - 1]
        condition = (
            before.value if isinstance(before, ast.Assign) and before.targets[0].id == condition.id else condition
        )
    return ast.walk(condition)


def find_weaker(name, guard):
    """Pairs of an expression in a guard's condition and a weaker one: without a part of an `and`, or of a chain."""
    for node in find_conditions(name, guard):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            for index in range(len(node.values)):
                rest = node.values[:index] + node.values[index + 1 :]
                yield node, rest[0] if len(rest) == 1 else ast.BoolOp(ast.And(), rest)
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            terms = [node.left, *node.comparators]
            for index in range(len(node.ops)):
                parts = zip(terms, node.ops, terms[1:], strict=False)
                others = [ast.Compare(a, [op], [b]) for k, (a, op, b) in enumerate(parts) if k != index]
                yield node, ast.BoolOp(ast.And(), [ast.Constant(True), *others])


WEAKER = [(name, guard, *pair) for name, guard in GUARDS for pair in find_weaker(name, guard)]


@pytest.mark.parametrize(
    "weaker", WEAKER, ids=lambda weaker: f"{weaker[0]} {weaker[1].lineno} {ast.unparse(weaker[3])[:60]}"
)
def test_every_part_of_a_condition_is_needed(weaker, refusals):
    """Without one part of a condition, some case gets another answer."""
    name, guard, node, other = weaker
    mutant = load_mutant(name, Replacement(node, other))
    own = find_own(name, guard, refusals)
    special = [answer_special(mutant, run, line)[1] for run, line in SPECIAL.values()] if not own else []
    assert not all([answer_case(mutant, stem)[1] for stem in own] + special), ast.unparse(node)


def find_entries():
    """Keys and shapes in the tables that say what instance, certificate and claims hold."""
    for name, table in NODES:
        keys, values = (table.keys, table.values) if isinstance(table, ast.Dict) else ([], [])
        # what has several keys, and text under each, is not a shape
        if len(keys) == 1 or not all(isinstance(value, ast.Constant) for value in values):
            for key, value in zip(keys, values, strict=True):
                is_shape = isinstance(value, (ast.Name, ast.Attribute, ast.List, ast.Set, ast.Call, ast.Constant))
                is_shape &= ast.unparse(value) != "[]" and ast.unparse(value) != "str.encode"
                # hooks of JSON's parser are no shapes, and shapes refuse NaN as well
                is_shape &= isinstance(key, ast.Constant) and not str(key.value).startswith("parse_")
                if is_shape:
                    yield name, key.value, value


ENTRIES = [
    (name, key, value)
    for name, key, value in find_entries()
    if re.fullmatch("[a-z0-9_]+[?]?~?", key) and key != "object_pairs_hook"
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry[0]} {entry[2].lineno} {entry[1]}")
def test_every_entry_of_a_shape_is_needed(entry):
    """If anything may stand under one key, some malformed case gets another answer."""
    name, key, value = entry
    mutant = load_mutant(name, Replacement(value, ast.parse("lambda value, place: value", mode="eval").body))
    stems = [stem for stem in STEMS if stem.parent.name == "malformed"]
    named = [stem for stem in stems if key.rstrip("?~") in (stem.parent / f"{stem.name}.reason").read_text("ascii")]
    assert not all(answer_case(mutant, stem)[1] for stem in named), key
