"""One pass over a module: calls become their answers, and what is never reached any more goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import libcst as cst
from libcst.metadata import ClassScope, ParentNodeProvider, PositionProvider, ScopeProvider

from switchover.adapters.flag_answers import Answer, CannotReplaceError, replace_call
from switchover.adapters.flag_bindings import find_broken_names
from switchover.adapters.flag_blocks import Comments, is_empty, lead, lift, run, trim_dead
from switchover.adapters.flag_calls import METHODS, FlagCall
from switchover.adapters.flag_conditions import judge_condition, simplify_operation
from switchover.adapters.flag_literals import Known, Literals, is_harmless
from switchover.adapters.flag_remarks import Remark

Assignment: TypeAlias = cst.Assign | cst.AnnAssign | cst.NamedExpr
_Replaced: TypeAlias = "cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]"
_Statements: TypeAlias = "cst.BaseStatement | cst.RemovalSentinel | cst.FlattenSentinel[cst.BaseStatement]"
# Where any expression may stand without parentheses of its own.
_ROOMY = (cst.Assign, cst.AnnAssign, cst.Return, cst.Arg, cst.Expr, cst.If, cst.While)
_CLOSED = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.SimpleString, cst.FormattedString, cst.List, cst.Set,
           cst.Dict, cst.ListComp, cst.SetComp, cst.DictComp)  # fmt: skip


class FlagRewriter(cst.CSTTransformer):
    """Replaces the calls at `sites` (line, column) and the names in `inlined`, and drops the assignments `dropped`."""

    METADATA_DEPENDENCIES = (PositionProvider, ParentNodeProvider, ScopeProvider)

    def __init__(
        self,
        sites: Mapping[tuple[int, int], FlagCall],
        answer: Answer,
        inlined: Mapping[cst.CSTNode, Known],
        dropped: frozenset[cst.CSTNode],
    ) -> None:
        super().__init__()
        self.changes: list[Remark] = []
        self.refused: list[Remark] = []
        self.constant: list[Remark] = []
        self.assigned: list[tuple[Assignment, Known]] = []
        self.restored: list[cst.FunctionDef] = []
        self._sites, self._answer, self._inlined, self._dropped = sites, answer, inlined, dropped
        self._literals = Literals()
        self._comments = Comments()
        self._places: dict[cst.CSTNode, tuple[cst.Call, FlagCall, str | None]] = {}

    # --- calls and names -----------------------------------------------------------------------------

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> _Replaced:  # type: ignore[override]
        """Replace what stands for a call, then do what its kind asks for."""
        updated: _Replaced = super().on_leave(original_node, updated_node)
        if isinstance(original_node, cst.Call):
            self._plan(original_node)
        place = self._places.get(original_node)
        if place is None or not isinstance(updated, cst.BaseExpression):
            return updated
        return self._replace(original_node, updated, *place)

    def _plan(self, call: cst.Call) -> None:
        start = self.get_metadata(PositionProvider, call).start
        site = self._sites.get((start.line, start.column))
        if site is None or not isinstance(call.func, cst.Attribute) or call.func.attr.value != site.method:
            return
        method = METHODS[site.method]
        place: cst.CSTNode = call
        part: str | None = None
        if method.awaited:
            place = self._parent(place)
            if not isinstance(place, cst.Await):
                self._refuse(call, "it is not awaited where it is called")
                return
        if method.detail:
            reader = self._parent(place)
            if not isinstance(reader, cst.Attribute) or reader.attr.value not in {"value", "variant"}:
                self._refuse(call, "its detail is used as a whole")
                return
            place, part = reader, reader.attr.value
        if isinstance(self._parent(place), cst.Match):
            self._refuse(call, "it is what a match statement looks at")
            return
        self._places[place] = (call, site, part)

    def _replace(
        self, place: cst.CSTNode, updated: cst.BaseExpression, call: cst.Call, site: FlagCall, part: str | None
    ) -> cst.CSTNode:
        current: cst.CSTNode = updated
        while not isinstance(current, cst.Call):
            current = current.value if isinstance(current, cst.Attribute) else cst.ensure_type(current, cst.Await).expression
        try:
            new = replace_call(
                current,
                site,
                self._answer,
                self._literals,
                place=updated,
                part=part,
                inlines=not isinstance(self.get_metadata(ScopeProvider, call, None), ClassScope),
                quote=self._quote(place),
            )
        except CannotReplaceError as reason:
            self._refuse(call, str(reason))
            return updated
        self._change(call, f"`{_code(call)}` is now `{_code(new)}`")
        return self._fit(new, place)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        """A name that stands for a known value."""
        known = self._inlined.get(original_node)
        if known is None:
            return updated_node
        made = self._literals.make(known.value, updated_node, quote=self._quote(original_node))
        return self._fit(made, original_node)

    def _fit(self, expression: cst.BaseExpression, place: cst.CSTNode) -> cst.BaseExpression:
        """In parentheses where what stands around it would otherwise take it apart."""
        parent = self._parent(place)
        closed = isinstance(expression, _CLOSED) or (
            isinstance(expression, cst.Integer | cst.Float) and not isinstance(parent, cst.Attribute)
        )
        if closed or expression.lpar or isinstance(parent, _ROOMY):
            return expression
        fitted = expression.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        known = self._literals.read(expression)
        return fitted if known is None else self._literals.learn(fitted, known.value)

    def _quote(self, node: cst.CSTNode) -> str:
        """The quotes for a text: those that the text around it, with expressions in it, does not use."""
        while not isinstance(node, cst.FormattedString | cst.Module | cst.BaseStatement):
            node = self._parent(node)
        return "'" if isinstance(node, cst.FormattedString) and node.start.endswith('"') else '"'

    # --- expressions ---------------------------------------------------------------------------------

    def leave_UnaryOperation(
        self, original_node: cst.UnaryOperation, updated_node: cst.UnaryOperation
    ) -> cst.BaseExpression:
        """`not` of what is known."""
        known = self._literals.read(updated_node.expression)
        if known is None or not isinstance(updated_node.operator, cst.Not):
            return updated_node
        return self._literals.make(not known.value, updated_node)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        """`bool` of what is known."""
        arguments = updated_node.args
        if not (isinstance(updated_node.func, cst.Name) and updated_node.func.value == "bool" and len(arguments) == 1):
            return updated_node
        known = self._literals.read(arguments[0].value)
        return updated_node if known is None else self._literals.make(bool(known.value), updated_node)

    def leave_BooleanOperation(
        self, original_node: cst.BooleanOperation, updated_node: cst.BooleanOperation
    ) -> cst.BaseExpression:
        """`and` and `or` with what is known."""
        return simplify_operation(updated_node, self._literals)

    def leave_Comparison(self, original_node: cst.Comparison, updated_node: cst.Comparison) -> cst.BaseExpression:
        """A comparison of what is known with what is written out."""
        return self._literals.fold_comparison(updated_node)

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> cst.BaseExpression:
        """One of the two, where the condition is known."""
        judged = judge_condition(updated_node.test, self._literals)
        if judged.value is None:
            return updated_node.with_changes(test=judged.rest)
        if judged.effects:
            return updated_node
        chosen = updated_node.body if judged.value else updated_node.orelse
        return self._literals.carry(chosen, updated_node)

    def leave_NamedExpr(self, original_node: cst.NamedExpr, updated_node: cst.NamedExpr) -> cst.BaseExpression:
        """A value that is known and named on the way."""
        if original_node in self._dropped:
            known = self._literals.read(updated_node.value)
            return updated_node.value if known is None else self._literals.learn(updated_node.value, known.value)
        self._note_assignment(original_node, updated_node.value)
        return updated_node

    def leave_CompIf(  # type: ignore[override] # what libcst does with it is more than its types say
        self, original_node: cst.CompIf, updated_node: cst.CompIf
    ) -> cst.CompIf | cst.RemovalSentinel:
        """A condition of a comprehension."""
        judged = judge_condition(updated_node.test, self._literals)
        if judged.value is None:
            return updated_node.with_changes(test=judged.rest)
        if judged.value and not judged.effects:
            return cst.RemoveFromParent()
        self._note_constant(original_node, "this comprehension keeps nothing; what it goes through may do something")
        return updated_node

    # --- statements ----------------------------------------------------------------------------------

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> _Replaced:  # type: ignore[override] # an elif becomes an else
        """The branch that is taken for ever, in the place of the statement."""
        parent = self._parent(original_node)
        is_elif = isinstance(parent, cst.If) and parent.orelse is original_node
        judged = judge_condition(updated_node.test, self._literals)
        if judged.value is None:
            return self._leave_open(updated_node.with_changes(test=judged.rest), is_elif=is_elif)
        self._change(original_node, f"`if {_code(original_node.test)}` is decided")
        live = updated_node.body if judged.value else updated_node.orelse
        leading = updated_node.leading_lines
        if is_elif and not judged.effects and not isinstance(live, cst.BaseSuite):
            return cst.RemoveFromParent() if live is None else live
        statements = [run(effect) for effect in judged.effects]
        if isinstance(live, cst.If):
            statements.append(lead(live, () if statements else leading))
        elif live is not None:
            suite = live.body if isinstance(live, cst.Else) else live
            statements += lift(suite, self._comments, () if statements else leading)
        if judged.effects:
            statements[0] = lead(statements[0], leading)
        if not is_elif:
            return cst.FlattenSentinel(statements) if statements else cst.RemoveFromParent()
        if not statements:
            return cst.RemoveFromParent()
        return cst.Else(body=self._comments.settle(cst.IndentedBlock(body=statements)), leading_lines=leading)

    def _leave_open(self, statement: cst.If, *, is_elif: bool) -> _Replaced:
        """A statement whose condition is not known; its branches may have become empty."""
        if not is_empty(statement.body) or statement.orelse is not None:
            return statement
        if is_harmless(statement.test):
            return cst.RemoveFromParent()
        return statement if is_elif else lead(run(statement.test), statement.leading_lines)

    def leave_While(self, original_node: cst.While, updated_node: cst.While) -> _Statements:
        """A loop that is never entered, or that only a jump ends."""
        judged = judge_condition(updated_node.test, self._literals)
        if judged.value is None:
            return updated_node.with_changes(test=judged.rest)
        if judged.value:
            if judged.effects:
                return updated_node
            always = self._literals.make(value=True, replaced=updated_node.test)
            return updated_node.with_changes(test=always, orelse=None)
        self._change(original_node, f"`while {_code(original_node.test)}` is never entered")
        statements = [run(effect) for effect in judged.effects]
        if updated_node.orelse is not None:
            statements += lift(updated_node.orelse.body, self._comments, updated_node.leading_lines)
        return cst.FlattenSentinel(statements) if statements else cst.RemoveFromParent()

    def leave_Else(  # type: ignore[override] # as above
        self, original_node: cst.Else, updated_node: cst.Else
    ) -> cst.Else | cst.RemovalSentinel:
        """Nothing else is no branch."""
        return cst.RemoveFromParent() if is_empty(updated_node.body) else updated_node

    def leave_Assert(self, original_node: cst.Assert, updated_node: cst.Assert) -> cst.Assert | cst.RemovalSentinel:
        """An assertion that always holds."""
        judged = judge_condition(updated_node.test, self._literals)
        if judged.value is None:
            return updated_node.with_changes(test=judged.rest)
        return cst.RemoveFromParent() if judged.value and not judged.effects else updated_node

    def leave_Expr(self, original_node: cst.Expr, updated_node: cst.Expr) -> cst.Expr | cst.RemovalSentinel:
        """A value that nobody uses."""
        judged = judge_condition(updated_node.value, self._literals)
        if judged.value is None:
            return updated_node.with_changes(value=judged.rest)
        if not judged.effects:
            return cst.RemoveFromParent()
        return updated_node.with_changes(value=judged.effects[0]) if len(judged.effects) == 1 else updated_node

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign | cst.RemovalSentinel:
        """A known value that gets a name."""
        if original_node in self._dropped:
            return cst.RemoveFromParent()
        self._note_assignment(original_node, updated_node.value)
        return updated_node

    def leave_AnnAssign(
        self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign
    ) -> cst.AnnAssign | cst.RemovalSentinel:
        """A known value that gets a name and a type."""
        if original_node in self._dropped:
            return cst.RemoveFromParent()
        if updated_node.value is not None:
            self._note_assignment(original_node, updated_node.value)
        return updated_node

    def leave_Return(self, original_node: cst.Return, updated_node: cst.Return) -> cst.Return:
        """A known value that is handed on."""
        known = self._literals.read(updated_node.value) if updated_node.value is not None else None
        if known is not None:
            self._note_constant(original_node, f"returns {known.value!r} whenever it comes here; callers are not followed")
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.RemovalSentinel:
        """A line with nothing left on it."""
        return updated_node if updated_node.body else cst.RemoveFromParent()

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        """A block with comments where they belong, and without what nobody reaches."""
        settled = self._comments.settle(updated_node)
        trimmed, count = trim_dead(original_node, settled)
        if count:
            self._change(original_node, f"the last {count} statement{'s' * (count > 1)} of this block cannot be reached any more")
        return trimmed

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        """A function, unless what it does to its names, or to its caller, would be another thing."""
        why = find_broken_names(original_node, updated_node)
        if why is None:
            return updated_node
        self.restored.append(original_node)
        self._refuse(original_node, f"{original_node.name.value} is left as it is: {why}")
        return original_node

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        """The module with comments where they belong."""
        return self._comments.settle(updated_node)

    # --- remarks -------------------------------------------------------------------------------------

    def _parent(self, node: cst.CSTNode) -> cst.CSTNode:
        return self.get_metadata(ParentNodeProvider, node)

    def _line(self, node: cst.CSTNode) -> int:
        return self.get_metadata(PositionProvider, node).start.line

    def _change(self, node: cst.CSTNode, text: str) -> None:
        self.changes.append(Remark(self._line(node), text))

    def _refuse(self, node: cst.CSTNode, reason: str) -> None:
        self.refused.append(Remark(self._line(node), reason))

    def _note_constant(self, node: cst.CSTNode, text: str) -> None:
        self.constant.append(Remark(self._line(node), text))

    def _note_assignment(self, node: Assignment, value: cst.BaseExpression) -> None:
        known = self._literals.read(value)
        if known is not None:
            self.assigned.append((node, known))


def _code(node: cst.CSTNode) -> str:
    return " ".join(cst.Module([]).code_for_node(node).split())
