"""One pass over the statements of a module: what is never reached any more goes."""

# ruff: noqa: ARG002, N802 - libcst finds these methods by their names and hands both nodes to each

from __future__ import annotations

from typing import TypeAlias

import libcst as cst

from switchover.adapters.flag_bindings import find_broken_names
from switchover.adapters.flag_blocks import drop_new_docstring, is_empty, lead, lift, run, trim_dead
from switchover.adapters.flag_conditions import judge_condition
from switchover.adapters.flag_effects import catches
from switchover.adapters.flag_expressions import ExpressionRewriter, Replaced, show

_Statements: TypeAlias = "cst.BaseStatement | cst.RemovalSentinel | cst.FlattenSentinel[cst.BaseStatement]"


class FlagRewriter(ExpressionRewriter):
    """Takes one flag out of a module."""

    def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:
        """Into a block whose errors something around it catches."""
        self._effects.guards += attribute == "body" and catches(node)

    def on_leave_attribute(self, original_node: cst.CSTNode, attribute: str) -> None:
        """Out of it again."""
        self._effects.guards -= attribute == "body" and catches(original_node)

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Replaced:  # type: ignore[override] # an elif becomes an else
        """The branch that is taken for ever, in the place of the statement."""
        parent = self._parent(original_node)
        is_elif = isinstance(parent, cst.If) and parent.orelse is original_node
        judged = judge_condition(updated_node.test, self._literals)
        if judged.value is None:
            return self._leave_open(updated_node.with_changes(test=judged.rest), is_elif=is_elif)
        self._change(original_node, f"`if {show(original_node.test)}` is decided")
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

    def _leave_open(self, statement: cst.If, *, is_elif: bool) -> Replaced:
        """A statement whose condition is not known; its branches may have become empty."""
        if not is_empty(statement.body) or statement.orelse is not None:
            return statement
        if self._effects.is_harmless(statement.test):
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
        self._change(original_node, f"`while {show(original_node.test)}` is never entered")
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
            self._note_constant(
                original_node, f"returns {known.value!r} whenever it comes here; callers are not followed"
            )
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
            self._change(
                original_node, f"the last {count} statement{'s' * (count > 1)} of this block cannot be reached any more"
            )
        return trimmed

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        """A function, unless what it does to its names, or to its caller, would be another thing."""
        updated_node = drop_new_docstring(original_node, updated_node)
        why = find_broken_names(original_node, updated_node)
        if why is None:
            return updated_node
        self.restored.append(original_node)
        self._refuse(original_node, f"{original_node.name.value} is left as it is: {why}")
        return original_node

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        """A class that says of itself what it said before."""
        return drop_new_docstring(original_node, updated_node)

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        """The module with comments where they belong."""
        return drop_new_docstring(original_node, self._comments.settle(updated_node))
