"""Makes the Cython source of the compiled kernel from the Python modules that run where there is no compiled kernel.

The code that is compiled is the code that is tested, since bodies of functions are copied unchanged. Only what
surrounds them changes. Annotations become types of C, and constants become constants of C. Imports between the modules
vanish, since all modules become one, whose functions a compiler can inline. All functions are `nogil`, so that Cython
reports an error if one needs Python while it runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TYPES = {
    "int": "int64_t",
    "float": "double",
    "bool": "bint",
    "None": "void",
    "Vector": "double[::1]",
    "Matrix": "double[:, ::1]",
    "Cube": "double[:, :, ::1]",
    "Indices": "int64_t[::1]",
    "Table": "int64_t[:, ::1]",
}
HEAD = '''# cython: language_level=3, boundscheck={checks}, wraparound=False, initializedcheck=False, cdivision=True
# cython: infer_types=False, annotation_typing=False, binding=False, embedsignature=False, emit_code_comments=False
# cython: freethreading_compatible=False
"""The float kernel of exactdrl.arithmetic.float64, compiled."""

from libc.math cimport INFINITY as inf, fabs, sqrt
from libc.stdint cimport int64_t

cdef extern from *:
    """
    /* every operation rounds once: proofs/filter.md */
    #if defined(__FAST_MATH__) || (defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0)
    #error "the bounds of the float kernel need operations that round once, in the order that is written"
    #endif
    #if defined(__clang__)
    #pragma STDC FP_CONTRACT OFF
    #elif defined(_MSC_VER)
    #pragma fp_contract (off)
    #endif
    #if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    #include <cpuid.h>
    static int exactdrl_has_avx2(void) {{
        unsigned a, b, c, d, low, high;
        /* the processor has AVX, and the system keeps its registers */
        if (!__get_cpuid(1, &a, &b, &c, &d) || (c >> 27 & 3) != 3) return 0;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        return (low & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 5 & 1);
    }}
    #else
    static int exactdrl_has_avx2(void) {{ return 0; }}
    #endif
{macros}
    """
{constants}

    bint exactdrl_has_avx2() nogil

DIGEST = "{digest}"


def has_avx2():
    """Returns whether this processor has AVX2, and the compiler knows."""
    return exactdrl_has_avx2()


def product_and_sum(double a, double b, double c):
    """Returns a · b + c as the kernel computes it."""
    return a * b + c
'''


def translate(folder: Path, modules: Sequence[str], digest: str, *, checks: bool = False) -> str:
    """Returns the source in Cython.

    Args:
        folder: of the kernel's modules.
        modules: their names, in the order in which they import each other.
        digest: of their contents, which the compiled module tells.
        checks: places in arrays are checked, for a test of the kernel; slow.

    Raises:
        ValueError: two modules define one name, or a type has no counterpart in C.
    """
    texts = {name: (folder / f"{name}.py").read_text(encoding="utf-8") for name in modules}
    constants: dict[str, int | float] = {}
    classes: dict[str, dict[str, str]] = {}
    functions: dict[str, tuple[ast.FunctionDef, list[str]]] = {}
    for name, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign):
                constants |= read_constants(node, constants)
            elif isinstance(node, ast.ClassDef):
                classes[node.name] = read_fields(node)
            elif isinstance(node, ast.FunctionDef) and node.decorator_list:
                if node.name in functions:
                    raise ValueError(f"{folder / name}.py: {node.name} stands in another module, too")
                functions[node.name] = (node, text.splitlines())
    returns = {name: to_c(node.returns) for name, (node, _) in functions.items()}
    names = Names(constants, classes, returns)
    parts = ["\n".join(class_lines(name, fields)) for name, fields in classes.items()]
    parts += ["\n".join(function_lines(node, lines, names)) for node, lines in functions.values()]
    macros = [f"    #define exactdrl_{name} {literal(value)}" for name, value in constants.items()]
    declared = [f'    const {kind_of(value)} {name} "exactdrl_{name}"' for name, value in constants.items()]
    head = HEAD.format(checks=checks, macros="\n".join(macros), constants="\n".join(declared), digest=digest)
    return "\n\n".join([head, *parts, ""])


def kind_of(value: float) -> str:
    """Returns the type of a constant."""
    return "double" if isinstance(value, float) else "int64_t"


def read_constants(node: ast.Assign, known: dict[str, int | float]) -> dict[str, int | float]:
    """Returns the numbers that a statement of a module gives names to."""
    value = eval(compile(ast.Expression(node.value), "constant", "eval"), {"range": range, **known})  # noqa: S307
    (target,) = node.targets
    if isinstance(target, ast.Name):
        return {target.id: value}
    assert isinstance(target, ast.Tuple)  # noqa: S101 - what else could be unpacked
    return {name.id: number for name, number in zip(target.elts, value, strict=True) if isinstance(name, ast.Name)}


def literal(value: float) -> str:
    """Returns a number as C reads it, exactly."""
    return value.hex() if isinstance(value, float) else f"INT64_C({value})"


def to_c(annotation: ast.expr | None) -> str:
    """Returns the type in Cython of an annotation."""
    if isinstance(annotation, ast.Constant):
        return "void"
    if isinstance(annotation, ast.Name):
        # a name that is no type of C's is one of the classes of state.py
        return TYPES.get(annotation.id, annotation.id)
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        return f"({', '.join(map(to_c, annotation.slice.elts))})"
    raise ValueError(f"{annotation and ast.unparse(annotation)}: no type of C")


def read_fields(node: ast.ClassDef) -> dict[str, str]:
    """Returns the types of a named tuple's fields."""
    return {
        part.target.id: to_c(part.annotation)
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }


def class_lines(name: str, fields: Mapping[str, str]) -> Iterator[str]:
    """Yields the class of C's own that holds the arrays of a named tuple, for as long as a function runs."""
    yield f"cdef class {name}:"
    yield from (f"    cdef {kind} {field}" for field, kind in fields.items())
    yield "\n    def __cinit__(self, arrays):"
    yield from (f"        self.{field} = arrays.{field}" for field in fields)


def function_lines(node: ast.FunctionDef, lines: list[str], names: Names) -> Iterator[str]:
    """Yields a function with the types of C, and what Python calls if it is exported."""
    arguments = {argument.arg: to_c(argument.annotation) for argument in node.args.args}
    (mark,) = node.decorator_list
    is_exported = isinstance(mark, ast.Name) and mark.id == "exported"
    name = f"_{node.name}" if is_exported else node.name
    typed = ", ".join(f"{kind} {word}" for word, kind in arguments.items())
    yield f"cdef {to_c(node.returns)} {name}({typed}) noexcept nogil:"
    for word, kind in Locals(names, arguments).read(node).items():
        yield f"    cdef {kind} {word}"
    has_docstring = ast.get_docstring(node) is not None
    first = (node.body[0].end_lineno or 0) if has_docstring else node.body[0].lineno - 1
    yield "\n".join(lines[first : node.end_lineno])
    if is_exported:
        heads = [word if kind in names.classes else f"{kind} {word}" for word, kind in arguments.items()]
        calls = [f"{kind}({word})" if kind in names.classes else word for word, kind in arguments.items()]
        yield f"\n\ndef {node.name}({', '.join(heads)}):"
        yield f"    return {name}({', '.join(calls)})"


@dataclass(frozen=True, slots=True)
class Names:
    """What the modules define: constants, the classes' fields and the functions' results, with their types."""

    constants: Mapping[str, int | float]
    classes: Mapping[str, Mapping[str, str]]
    returns: Mapping[str, str]


class Locals:
    """The types of a function's variables, read off what is assigned to them."""

    def __init__(self, names: Names, arguments: Mapping[str, str]) -> None:
        """Knows the arguments' types."""
        self._names, self._arguments = names, arguments
        self._found: dict[str, str] = {}

    def read(self, node: ast.FunctionDef) -> dict[str, str]:
        """Returns the types of all variables that are no arguments."""
        for part in ast.walk(node):
            if isinstance(part, ast.For) and isinstance(part.target, ast.Name):
                self._found[part.target.id] = "int64_t"
        assignments = [part for part in ast.walk(node) if isinstance(part, ast.Assign | ast.AugAssign)]
        assignments.sort(key=lambda part: part.lineno)
        # a loop may need what is assigned further down
        for _ in range(2):
            for part in assignments:
                for target in part.targets if isinstance(part, ast.Assign) else [part.target]:
                    self._assign(target, part.value)
        return self._found

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            if isinstance(value, ast.Tuple):
                kinds = [self._type_of(part) for part in value.elts]
            else:
                kinds = self._type_of(value).strip("()").split(", ")
            for part, kind in zip(target.elts, kinds, strict=True):
                self._note(part, kind)
        else:
            self._note(target, self._type_of(value))

    def _note(self, target: ast.expr, kind: str) -> None:
        if isinstance(target, ast.Name) and target.id not in self._arguments:
            self._found[target.id] = widest([kind, self._found.get(target.id, kind)])

    def _type_of(self, node: ast.expr) -> str:
        """Returns the type of an expression."""
        match node:
            case ast.Constant(value=bool()) | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return "bint"
            case ast.Constant(value=int() | float() as value):
                return kind_of(value)
            case ast.Name(id=name):
                if name in self._names.constants:
                    return kind_of(self._names.constants[name])
                return "double" if name == "inf" else self._arguments.get(name) or self._found[name]
            case ast.Subscript(value=ast.Attribute(attr="shape")):
                return "int64_t"
            case ast.Subscript(value=array):
                return self._type_of(array).partition("[")[0]
            case ast.Attribute(value=owner, attr=field):
                return self._names.classes[self._type_of(owner)][field]
            case ast.BinOp(op=ast.Div() | ast.Pow()):
                return "double"
            case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
                return widest([self._type_of(left), self._type_of(right)])
            case ast.BoolOp(values=parts):
                return widest([self._type_of(part) for part in parts])
            case ast.UnaryOp(operand=part):
                return self._type_of(part)
            case ast.Call(func=ast.Name(id="abs" | "min" | "max"), args=parts):
                return widest([self._type_of(part) for part in parts])
            case ast.Call(func=ast.Name(id="sqrt")):
                return "double"
            case ast.Call(func=ast.Name(id=name)) if name in self._names.returns:
                return self._names.returns[name]
        raise ValueError(f"{ast.unparse(node)}: an expression whose type in C is not known")


def widest(kinds: Sequence[str]) -> str:
    """Returns the type that holds values of some types of numbers."""
    return max(kinds, key=["bint", "int64_t", "double"].index)
