"""One pass over the expressions of a module: calls become their answers, and what they decide is decided."""

# ruff: noqa: ARG002, N802 - libcst finds these methods by their names and hands both nodes to each

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import libcst as cst
from libcst.metadata import ClassScope, ParentNodeProvider, PositionProvider, ScopeProvider

from switchover.adapters.flag_answers import Answer, CannotReplaceError, replace_call
from switchover.adapters.flag_blocks import Comments
from switchover.adapters.flag_calls import METHODS, FlagCall
from switchover.adapters.flag_conditions import judge_condition, simplify_operation
from switchover.adapters.flag_effects import Effects
from switchover.adapters.flag_frames import is_shown
from switchover.adapters.flag_literals import Known, Literals
from switchover.adapters.flag_receivers import Receivers
from switchover.adapters.flag_remarks import Remark

Assignment: TypeAlias = cst.Assign | cst.AnnAssign | cst.NamedExpr
Replaced: TypeAlias = "cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]"
# Where any expression may stand without parentheses of its own.
_ROOMY = (cst.Assign, cst.AnnAssign, cst.Return, cst.Arg, cst.Expr, cst.If, cst.While)
_CLOSED = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.SimpleString, cst.FormattedString, cst.List, cst.Set,
           cst.Dict, cst.ListComp, cst.SetComp, cst.DictComp)  # fmt: skip


class ExpressionRewriter(cst.CSTTransformer):
    """Replaces the calls at `sites` and the names in `inlined`, and drops the assignments `dropped`."""

    METADATA_DEPENDENCIES = (PositionProvider, ParentNodeProvider, ScopeProvider)

    def __init__(
        self,
        sites: Mapping[tuple[int, int, int, int], FlagCall],
        answer: Answer,
        receivers: Receivers,
        inlined: Mapping[cst.CSTNode, Known],
        dropped: frozenset[cst.CSTNode],
    ) -> None:
        super().__init__()
        self.changes: list[Remark] = []
        self.refused: list[Remark] = []
        self.constant: list[Remark] = []
        self.assigned: list[tuple[Assignment, Known]] = []
        self.met: set[FlagCall] = set()
        self.restored: list[cst.FunctionDef] = []
        self._sites, self._answer, self._inlined, self._dropped = sites, answer, inlined, dropped
        self._effects = Effects(receivers)
        self._literals = Literals(self._effects)
        self._comments = Comments()
        self._places: dict[cst.CSTNode, tuple[cst.Call, FlagCall, str | None]] = {}

    # --- calls and names -----------------------------------------------------------------------------

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> Replaced:  # type: ignore[override]
        """Replace what stands for a call, then do what its kind asks for."""
        updated: Replaced = super().on_leave(original_node, updated_node)
        if isinstance(original_node, cst.Call):
            self._plan(original_node)
        place = self._places.get(original_node)
        if place is None or not isinstance(updated, cst.BaseExpression):
            return updated
        return self._replace(original_node, updated, *place)

    def _plan(self, call: cst.Call) -> None:
        position = self.get_metadata(PositionProvider, call)
        start, end = position.start, position.end
        site = self._sites.get((start.line, start.column, end.line, end.column))
        if site is None:
            return
        self.met.add(site)
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
        if is_shown(call, self._parent):
            self._refuse(call, "its text is shown by `=`")
            return
        if isinstance(self._parent(place), cst.Match):
            self._refuse(call, "it is what a match statement looks at")
            return
        self._places[place] = (call, site, part)

    def _replace(
        self, place: cst.CSTNode, updated: cst.BaseExpression, call: cst.Call, site: FlagCall, part: str | None
    ) -> cst.CSTNode:
        current: cst.CSTNode = updated
        while not isinstance(current, cst.Call):
            current = (
                current.value if isinstance(current, cst.Attribute) else cst.ensure_type(current, cst.Await).expression
            )
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
        self._change(call, f"`{show(call)}` is now `{show(new)}`")
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


def show(node: cst.CSTNode) -> str:
    """Its text on one line."""
    return " ".join(cst.Module([]).code_for_node(node).split())
