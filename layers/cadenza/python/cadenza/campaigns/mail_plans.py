"""Plans as they may be sent by mail: the compiler, told which variables the renderer knows."""

from __future__ import annotations

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.delivery.variables import VARIABLES
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.compiler import compile_plan
from cadenza.planning.findings import Compiled


def compile_for_mail(source: object) -> Compiled:
    """Compile a plan whose mails may use the renderer's variables and no others."""
    return compile_plan(source, variables=VARIABLES)


def accept(source: object) -> CompiledPlan:
    """The compiled plan of a request's ``plan``.

    Raises:
        InvalidInput: It has errors; one `FieldProblem` each.
    """
    compiled = compile_for_mail(source)
    if compiled.plan is None:
        problems = (FieldProblem(f"/plan{error.pointer}", f"{error.message}. {error.fix}") for error in compiled.errors)
        raise InvalidInput("the plan has errors", tuple(problems))
    return compiled.plan
