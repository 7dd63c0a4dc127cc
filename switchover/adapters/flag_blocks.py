"""Blocks of statements: what is left of one when a branch of it is taken for ever."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import libcst as cst

Statement = cst.BaseStatement | cst.BaseSmallStatement
_Block = TypeVar("_Block", cst.IndentedBlock, cst.Module)
_Documented = TypeVar("_Documented", cst.FunctionDef, cst.ClassDef, cst.Module)

_ENDS = (cst.Return, cst.Raise, cst.Continue, cst.Break)
# Words to tools about the line that goes.
_DIRECTIVE = re.compile(r"#\s*(noqa|pragma|type:|pylint:|nosec|fmt:|pyright:|ruff:|isort:)", re.IGNORECASE)


@dataclass(slots=True)
class Comments:
    """Comments at the end of a block that was lifted: they stand before whatever follows its last statement."""

    _after: dict[int, tuple[cst.BaseStatement, tuple[cst.EmptyLine, ...]]] = field(default_factory=dict)

    def put_after(self, statement: cst.BaseStatement, lines: Sequence[cst.EmptyLine]) -> None:
        """Keep these lines, as long as there is a comment among them."""
        if any(line.comment for line in lines):
            self._after[id(statement)] = (statement, tuple(lines))

    def settle(self, block: _Block) -> _Block:
        """The block with the kept lines where they belong."""
        body: list[cst.BaseStatement | cst.BaseSmallStatement] = []
        waiting: tuple[cst.EmptyLine, ...] = ()
        for statement in block.body:
            kept = self._after.get(id(statement))
            body.append(lead(statement, waiting) if waiting else statement)
            waiting = kept[1] if kept else ()
        if len(waiting):
            block = block.with_changes(footer=(*waiting, *block.footer))
        return block.with_changes(body=body)


def lift(suite: cst.BaseSuite, comments: Comments, leading: Sequence[cst.EmptyLine] = ()) -> list[cst.BaseStatement]:
    """The statements of a block as they stand one level up, behind the lines that led its compound statement.

    A lone `pass` is nothing.
    """
    if isinstance(suite, cst.SimpleStatementSuite):
        statements: list[cst.BaseStatement] = [
            cst.SimpleStatementLine(body=suite.body, trailing_whitespace=suite.trailing_whitespace)
        ]
        header: list[cst.EmptyLine] = []
        footer: Sequence[cst.EmptyLine] = ()
    elif isinstance(suite, cst.IndentedBlock):
        statements = [each for each in suite.body if isinstance(each, cst.BaseStatement)]
        comment = suite.header.comment
        kept = comment is not None and not _DIRECTIVE.match(comment.value)
        header = [cst.EmptyLine(comment=comment)] if kept else []
        footer = suite.footer
    else:  # a suite is one of these two
        raise TypeError(type(suite).__name__)
    statements = [each for each in statements if not is_pass(each)]
    if not statements:
        return []
    statements[0] = lead(statements[0], (*leading, *header))
    comments.put_after(statements[-1], footer)
    return statements


def lead(statement: cst.BaseStatement | cst.BaseSmallStatement, lines: Sequence[cst.EmptyLine]) -> cst.BaseStatement:
    """The statement behind these lines."""
    if not isinstance(statement, cst.BaseStatement):
        raise TypeError(type(statement).__name__)
    if not lines:
        return statement
    own: Sequence[cst.EmptyLine] = getattr(statement, "leading_lines", ())
    return statement.with_changes(leading_lines=(*lines, *own))


def is_pass(statement: cst.BaseStatement) -> bool:
    """Whether it is `pass` and nothing else, comments included."""
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and all(isinstance(each, cst.Pass) for each in statement.body)
        and not any(line.comment for line in statement.leading_lines)
        and statement.trailing_whitespace.comment is None
    )


def is_empty(suite: cst.BaseSuite) -> bool:
    """Whether everything in it was removed. What was written by somebody is never empty."""
    return not suite.body


def run(expression: cst.BaseExpression) -> cst.BaseStatement:
    """The statement that evaluates it and does nothing more."""
    if isinstance(expression, cst.NamedExpr):
        target = cst.AssignTarget(cst.ensure_type(expression.target, cst.Name))
        return cst.SimpleStatementLine(body=[cst.Assign(targets=[target], value=expression.value)])
    return cst.SimpleStatementLine(body=[cst.Expr(expression)])


def drop_new_docstring(original: _Documented, updated: _Documented) -> _Documented:
    """Without the texts that came to stand first, and that would be a docstring now."""
    while original.get_docstring(clean=False) is None and updated.get_docstring(clean=False) is not None:
        if isinstance(updated, cst.Module):
            updated = updated.with_changes(body=_drop_first(updated.body))
        elif isinstance(updated.body, cst.IndentedBlock):
            updated = updated.with_changes(body=updated.body.with_changes(body=_drop_first(updated.body.body)))
        else:
            updated = updated.with_changes(body=updated.body.with_changes(body=updated.body.body[1:] or [cst.Pass()]))
    return updated


def _drop_first(body: Sequence[cst.BaseStatement]) -> list[cst.BaseStatement]:
    """Without the first small statement; a line with nothing left goes."""
    line = cst.ensure_type(body[0], cst.SimpleStatementLine)
    rest = [line.with_changes(body=line.body[1:])] if len(line.body) > 1 else []
    return [*rest, *body[1:]]


def trim_dead(original: _Block, updated: _Block) -> tuple[_Block, int]:
    """Without the statements that nobody reaches any more, and how many these were.

    Where somebody wrote such statements before, all is left as it is.
    """
    if _find_dead(original.body) is not None:
        return updated, 0
    first = _find_dead(updated.body)
    if first is None:
        return updated, 0
    return updated.with_changes(body=updated.body[:first]), len(updated.body) - first


def _find_dead(body: Sequence[Statement]) -> int | None:
    for at, statement in enumerate(body[:-1]):
        if _ends(statement):
            return at + 1
    return None


def _ends(statement: Statement) -> bool:
    """Whether nothing after it is ever reached."""
    if isinstance(statement, cst.SimpleStatementLine):
        return any(isinstance(each, _ENDS) for each in statement.body)
    if isinstance(statement, cst.If):
        orelse = statement.orelse
        return (
            orelse is not None
            and _block_ends(statement.body)
            and (_ends(orelse) if isinstance(orelse, cst.If) else _block_ends(orelse.body))
        )
    return False


def _block_ends(suite: cst.BaseSuite) -> bool:
    if isinstance(suite, cst.SimpleStatementSuite):
        return any(isinstance(each, _ENDS) for each in suite.body)
    return any(_ends(each) for each in suite.body if isinstance(each, cst.BaseStatement))
