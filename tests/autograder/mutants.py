"""Mutants: the functions that students write, each with one small change made by a rule."""

from __future__ import annotations

import ast
import difflib
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.autograder import workshop
from tests.autograder.solutions import Bodies

# Replacements of an operator, a comparison or a called function. Each is a mistake that somebody makes.
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add, ast.Mod),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt, ast.NotEq),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
FUNCTIONS = {
    "sum": ("mean", "max"), "mean": ("sum",), "max": ("min", "sum"), "min": ("max",),
    "exp": ("log", "expm1"), "log": ("exp", "log2"),
    "maximum": ("minimum",), "ones_like": ("zeros_like", "empty_like"), "zeros_like": ("ones_like",), "ones": ("zeros",),
    "zeros": ("ones",), "tanh": ("sin", "arctan"), "add": ("subtract",), "append": ("remove",), "set_param": ("update_param",),
    "update_param": ("set_param",), "sub_backward": ("add_backward",), "add_backward": ("sub_backward",),
    "div_backward": ("mul_backward",), "exp_backward": ("log_backward",), "mul_backward": ("div_backward",),
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A submission with one function changed. before, after: the text of the function."""

    function: str
    before: str
    after: str
    files: workshop.Files

    @property
    def change(self) -> str:
        """The lines that went and the lines that came."""
        lines = [x for x in difflib.ndiff(self.before.splitlines(), self.after.splitlines()) if x[0] in "+-"]
        gone = "; ".join(line[2:].strip() for line in lines if line[0] == "-")
        come = "; ".join(line[2:].strip() for line in lines if line[0] == "+")
        return f"moved  {gone}" if gone == come else f"{gone or 'nothing'}  ->  {come or 'nothing'}"


def mutants(bodies: Bodies, wanted: Callable[[str], bool] = lambda function: True) -> Iterator[Mutant]:
    """Every mutant of a solution, or of the functions that are wanted. Each source comes once, and compiles."""
    files = workshop.fill(bodies)
    for name, source in workshop.handout().items():
        stubs = [stub for stub in workshop.STUB.findall(source) if wanted(stub)]
        lines = files[name].splitlines()
        for function, node in _functions(ast.parse(files[name]), stubs) if stubs else ():
            above, below = lines[: node.lineno - 1], lines[node.end_lineno :]
            before = ast.unparse(node)
            seen = {before}
            for _ in _changes(node):
                try:
                    after = ast.unparse(ast.fix_missing_locations(node))
                    compile(after, name, "exec")
                except (SyntaxError, ValueError):
                    continue
                if after not in seen:
                    seen.add(after)
                    body = textwrap.indent(after, " " * node.col_offset)
                    text = "\n".join([*above, body, *below, ""])
                    yield Mutant(function, before, after, {**files, name: text})


def _functions(tree: ast.Module, stubs: list[str]) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef):
                name = f"{node.name}.{inner.name}" if isinstance(node, ast.ClassDef) else inner.name
                if name in stubs:
                    yield name, inner


def _changes(function: ast.FunctionDef) -> Iterator[None]:
    """Make each change in place, yield, and take it back."""
    parameters = [a.arg for a in function.args.args if a.arg != "self"]
    for parent in _nodes(function):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, ast.expr):
                for new in expressions(value, parameters):
                    setattr(parent, field, new)
                    yield
                setattr(parent, field, value)
            elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield from _lists(
                    parent, field, value, list(statements(value, isinstance(parent, ast.For | ast.While)))
                )
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr | ast.keyword):
                yield from _lists(parent, field, value, list(sequences(value, parameters, _may_be_kept(parent))))
        if isinstance(parent, ast.If) and parent.orelse:
            parent.body, parent.orelse = parent.orelse, parent.body
            yield
            parent.body, parent.orelse = parent.orelse, parent.body


def _nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """The nodes that behaviour depends on: neither docstring nor annotations nor what is raised."""
    found: list[ast.AST] = [function]
    first = function.body[0]
    has_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    waiting: list[ast.AST] = [*function.body[1 if has_text else 0 :]]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Raise):
            continue
        found.append(node)
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.arguments)]
    return found


def _lists(parent: ast.AST, field: str, value: list[ast.AST], choices: list[list[ast.AST]]) -> Iterator[None]:
    for new in choices:
        setattr(parent, field, new)
        yield
    setattr(parent, field, value)


def _may_be_kept(parent: ast.AST) -> bool:
    """True for a list or tuple, and for a call that records: it matters there which array an entry is."""
    records = ("add_operation", "record", "Operation", "update_param", "set_param", "add_spot")
    return isinstance(parent, ast.List | ast.Tuple) or (
        isinstance(parent, ast.Call) and ast.unparse(parent.func).rpartition(".")[2] in records
    )


def expressions(node: ast.expr, parameters: list[str]) -> Iterator[ast.expr]:
    """Replacements for an expression."""
    if isinstance(node, ast.BinOp):
        for operator in OPERATORS.get(type(node.op), ()):
            yield ast.BinOp(node.left, operator(), node.right)
        yield node.left
        yield node.right
        if not isinstance(node.op, ast.Add | ast.Mult):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare):
        for comparison in COMPARISONS.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [comparison()], node.comparators)
        yield ast.Constant(True)
        yield ast.Constant(False)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Attribute):
        if node.attr == "T":
            yield node.value
        for name in FUNCTIONS.get(node.attr, ()):
            yield ast.Attribute(node.value, name, node.ctx)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for name in (*(parameters if node.id in parameters else ()), *FUNCTIONS.get(node.id, ())):
            if name != node.id:
                yield ast.Name(name, node.ctx)


def _constants(value: object) -> Iterator[ast.expr]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        if abs(value) < 3:
            yield ast.Constant(value + 1)
        yield ast.UnaryOp(ast.USub(), ast.Constant(1)) if value == 0 else ast.Constant(value - 1)


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    # The argument alone, and the object of the method alone: a conversion, a copy or a reduction is left out.
    if node.args:
        yield node.args[0]
    if isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
    ):
        yield node.func.value
    for position in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:position] + node.keywords[position + 1 :])


def sequences(items: list[ast.AST], parameters: list[str], kept: bool) -> Iterator[list[ast.AST]]:
    """Replacements for arguments or the entries of a list. kept: for arrays that are known by their place."""
    for position, item in enumerate(items):
        before, after = items[:position], items[position + 1 :]
        if isinstance(item, ast.keyword):
            for new in expressions(item.value, parameters):
                yield [*before, ast.keyword(item.arg, new), *after]
            continue
        assert isinstance(item, ast.expr)
        for new in expressions(item, parameters):
            yield [*before, new, *after]
        yield [*before, *after]
        if after:
            yield [*before, after[0], item, *after[1:]]
        if not kept or isinstance(item, ast.Starred) or isinstance(getattr(item, "ctx", None), ast.Store):
            continue
        yield [*before, ast.Constant(None), *after]
        if not isinstance(item, ast.Constant | ast.Lambda | ast.List):
            yield [*before, ast.UnaryOp(ast.USub(), item), *after]
        if isinstance(item, ast.Name | ast.Attribute):
            yield [*before, ast.Call(ast.Attribute(item, "copy", ast.Load()), [], []), *after]


def statements(body: list[ast.stmt], in_loop: bool) -> Iterator[list[ast.AST]]:
    """Replacements for a block."""
    for position, one in enumerate(body):
        before, after = body[:position], body[position + 1 :]
        if isinstance(one, ast.Raise) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            continue
        for new in _instead(one):
            yield [*before, new, *after]
        if isinstance(one, ast.AugAssign | ast.Expr | ast.For):
            yield [*before, one, one, *after]
        if after and not isinstance(one, ast.Return | ast.Continue | ast.Break):
            yield [*before, after[0], one, *after[1:]]
        if isinstance(one, ast.For | ast.While | ast.If) or after:
            yield [*before, one, ast.Return(None), *after]
    if in_loop:
        yield [*body, ast.Break()]
        yield [*body, ast.Return(None)]


def _instead(one: ast.stmt) -> Iterator[ast.stmt]:
    yield ast.Pass()
    if isinstance(one, ast.Continue):
        yield ast.Break()
        yield ast.Return(None)
    elif isinstance(one, ast.Break):
        yield ast.Continue()
    elif isinstance(one, ast.AugAssign):
        load = _loaded(one.target)
        yield ast.Assign([one.target], ast.BinOp(load, one.op, one.value))
        yield ast.Assign([one.target], one.value)
        for operator in OPERATORS.get(type(one.op), ()):
            yield ast.AugAssign(one.target, operator(), one.value)
        if isinstance(one.target, ast.Name):
            yield ast.Assign([ast.Subscript(one.target, ast.Constant(...), ast.Store())], one.value)
    elif isinstance(one, ast.Assign):
        if isinstance(one.value, ast.BinOp | ast.Call):
            yield ast.Assign(one.targets, ast.UnaryOp(ast.USub(), one.value))
    elif isinstance(one, ast.Return) and one.value is not None:
        if not isinstance(one.value, ast.Tuple | ast.List):
            yield ast.Return(ast.UnaryOp(ast.USub(), one.value))
            yield ast.Return(ast.Call(ast.Attribute(one.value, "copy", ast.Load()), [], []))
            yield ast.Return(ast.Call(ast.Attribute(one.value, "astype", ast.Load()), [ast.Constant("float32")], []))
    elif isinstance(one, ast.If):
        for test in (True, False):
            yield ast.If(ast.Constant(test), one.body, one.orelse)
    elif isinstance(one, ast.For):
        yield ast.For(
            one.target,
            ast.Subscript(ast.Call(ast.Name("list"), [one.iter], []), ast.Slice(ast.Constant(1)), ast.Load()),
            one.body,
            one.orelse,
        )
        yield ast.For(
            one.target,
            ast.Subscript(
                ast.Call(ast.Name("list"), [one.iter], []),
                ast.Slice(None, ast.UnaryOp(ast.USub(), ast.Constant(1))),
                ast.Load(),
            ),
            one.body,
            one.orelse,
        )


def _loaded(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body
