"""What a call is replaced by when the flag is gone: a literal, or the function that the flag chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from switchover.adapters.flag_calls import METHODS, Asks, FlagCall, Method
from switchover.adapters.flag_effects import Effects
from switchover.adapters.flag_literals import Literals
from switchover.flags.snapshot import Json

_TYPES: Mapping[Asks, type | tuple[type, ...]] = {
    Asks.STRING: str,
    Asks.INTEGER: int,
    Asks.FLOAT: (int, float),
    Asks.OBJECT: (dict, list),
}
_BRANCHES = ("on", "off")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the removed flag gives everybody for ever. `variant` is None where nobody knows its name."""

    value: Json
    variant: str | None = None


class CannotReplaceError(Exception):
    """Why a call stays as it is."""


def replace_call(
    call: cst.Call,
    site: FlagCall,
    answer: Answer,
    literals: Literals,
    *,
    place: cst.BaseExpression,
    part: str | None,
    inlines: bool,
    quote: str,
) -> cst.BaseExpression:
    """The expression that does the same without the flag.

    It stands in `place`: the call, or what awaits it or reads `part` of its detail. `inlines`: the body of a lambda
    may stand here. Raises `CannotReplaceError`.
    """
    method = METHODS[site.method]
    if not site.sure:
        raise CannotReplaceError(f"what {site.method} is called on may be no client of flags")
    if any(argument.star for argument in call.args):
        raise CannotReplaceError("its arguments are unpacked")
    if method.asks is Asks.BRANCH:
        return _choose_branch(call, answer, literals, place=place, part=part, inlines=inlines)
    _refuse_effects(call, call.args, literals.effects)
    return literals.make(_choose_value(call, method, answer, part), place, quote=quote)


def _choose_value(call: cst.Call, method: Method, answer: Answer, part: str | None) -> object:
    if part == "variant" or method.asks is Asks.VARIANT:
        if answer.variant is None:
            raise CannotReplaceError("nobody knows the variant's name: the flag is not in the set")
        return answer.variant
    value = answer.value
    if method.asks is Asks.BOOLEAN:
        fits = isinstance(value, bool)
    elif method.asks is Asks.ANY:
        fits = _fits_default(value, _read_default(call, method))
    else:
        fits = isinstance(value, _TYPES[method.asks]) and not isinstance(value, bool)
    if not fits:
        raise CannotReplaceError(f"the value {value!r} is not of the type that is asked for")
    return float(value) if method.asks is Asks.FLOAT and isinstance(value, int) else value


def _read_default(call: cst.Call, method: Method) -> cst.BaseExpression | None:
    positional = [each.value for each in call.args if each.keyword is None]
    named = (each.value for each in call.args if each.keyword is not None and each.keyword.value == "default")
    return positional[method.default] if method.default < len(positional) else next(named, None)


def _fits_default(value: Json, default: cst.BaseExpression | None) -> bool:
    """Whether it is of the type of a default that is written out; of any other default nothing is known."""
    written: tuple[tuple[type[cst.BaseExpression], type | tuple[type, ...]], ...] = (
        (cst.SimpleString, str),
        (cst.Integer, int),
        (cst.Float, (int, float)),
        (cst.Dict, dict),
        (cst.List, list),
    )
    if isinstance(default, cst.Name) and default.value in {"True", "False"}:
        return isinstance(value, bool)
    for kind, wanted in written:
        if isinstance(default, kind):
            return isinstance(value, wanted) and not isinstance(value, bool)
    return True


def _choose_branch(
    call: cst.Call,
    answer: Answer,
    literals: Literals,
    *,
    place: cst.BaseExpression,
    part: str | None,
    inlines: bool,
) -> cst.BaseExpression:
    if not isinstance(answer.value, bool):
        raise CannotReplaceError(f"the value {answer.value!r} is neither true nor false")
    if part == "variant":
        raise CannotReplaceError("only the variant of the detail is read, and the function would not be called")
    functions = _find_functions(call)
    chosen = functions["on" if answer.value else "off"]
    _refuse_effects(call, [each for each in call.args if each is not chosen], literals.effects)
    function = chosen.value
    if isinstance(function, cst.Lambda) and inlines and not _has_parameters(function) and not _binds(function.body):
        return literals.carry(function.body, place)
    if not isinstance(function, cst.Name | cst.Attribute | cst.Call | cst.Subscript) and not function.lpar:
        function = function.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.Call(func=function, lpar=place.lpar, rpar=place.rpar)


def _find_functions(call: cst.Call) -> dict[str, cst.Arg]:
    positional = [each for each in call.args if each.keyword is None]
    has_key = bool(positional)  # otherwise the key is named, and everything after it
    named = {each.keyword.value: each for each in call.args if each.keyword is not None}
    found = dict(zip(_BRANCHES, positional[1:3], strict=False)) if has_key else {}
    found |= {name: named[name] for name in _BRANCHES if name in named}
    if len(found) != len(_BRANCHES):
        raise CannotReplaceError("it does not name two functions")
    return found


def _has_parameters(function: cst.Lambda) -> bool:
    parameters = function.params
    return bool(
        parameters.params
        or parameters.kwonly_params
        or parameters.posonly_params
        or parameters.star_kwarg
        or isinstance(parameters.star_arg, cst.Param | cst.ParamStar)
    )


def _binds(expression: cst.CSTNode) -> bool:
    """Whether something in it would mean another thing outside of its lambda."""
    if isinstance(expression, cst.NamedExpr | cst.Yield | cst.Await):
        return True
    return any(_binds(child) for child in expression.children)


def _refuse_effects(call: cst.Call, dropped: Sequence[cst.Arg], effects: Effects) -> None:
    """Nothing that may do something is dropped: neither an argument nor what the method is called on."""
    receiver = call.func.value if isinstance(call.func, cst.Attribute) else call.func
    refused = [each.value for each in dropped if not effects.is_harmless(each.value)]
    if not effects.is_harmless_receiver(receiver):
        refused.insert(0, receiver)
    if refused:
        code = cst.Module([]).code_for_node(refused[0])
        raise CannotReplaceError(f"evaluating `{code}` may do something or fail: move it to a line of its own before")
