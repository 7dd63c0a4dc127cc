"""A person's word before the first user: asked in the Prefect UI and on the command line, kept in the ledger."""

from __future__ import annotations

import contextvars
import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from uuid import UUID

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run, resume_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run

from switchover.errors import InputError
from switchover.model import Approval, Rollout
from switchover.operations.approval import answer_approval, ask_approval, await_approval
from switchover.operations.environment import EnvironmentPorts
from switchover.operations.lease import Claim
from tasks.place import Place
from tasks.repeating import worth_repeating

_POLL_SECONDS = 2
_JOIN_SECONDS = 15.0


class Answer(RunInput):
    """The form that the UI shows when somebody resumes the run."""

    approve: bool = False
    your_name: str = ""
    comment: str = ""


@task(
    name="ask-approval",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=60,
    cache_policy=NO_CACHE,
)
def ask(place: Place, claim: Claim, rollout: Rollout) -> Rollout:
    """Record that the tested release waits for a person."""
    return ask_approval(place.connect(), claim, rollout)


@task(
    name="await-approval",
    retries=2,
    retry_delay_seconds=1,
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_repeating,
    timeout_seconds=8 * 24 * 3600,  # the question's own timeout ends it long before
    cache_policy=NO_CACHE,
)
def await_answer(place: Place, claim: Claim, rollout: Rollout, seconds: float) -> Rollout:
    """Wait for the answer, wherever it is given. No, or none in time, is the end of this deployment."""
    ports = place.connect()
    with _form(ports, rollout, seconds):
        return await_approval(ports, claim, rollout, seconds)


@contextmanager
def _form(ports: EnvironmentPorts, rollout: Rollout, seconds: float) -> Iterator[None]:
    """Pause the run with a form beside the wait; resume it when the wait ends by other means.

    The ledger is what is waited for: a Prefect server that goes away takes only its form with it.
    """
    run_id = str(flow_run.id)
    answered = Event()
    log = get_run_logger()

    def show() -> None:
        try:
            answer = pause_flow_run(
                wait_for_input=Answer.with_initial_data(description=_describe(rollout)),
                timeout=math.ceil(seconds) + _POLL_SECONDS,
                poll_interval=_POLL_SECONDS,
                key=f"approval-{rollout.id}",
            )
            answered.set()
            who = answer.your_name.strip() or "somebody in the Prefect UI"
            approval = Approval(answer.approve, who, answer.comment.strip(), ports.clock.now())
            answer_approval(ports, rollout.service, approval, rollout_id=rollout.id)
        except FlowPauseTimeout:
            return  # the wait itself says that nobody answered
        except InputError as error:
            log.info("the answer came too late: %s", error.problem.found)
        except Exception as error:  # noqa: BLE001 whatever the server does, the wait goes on
            log.warning("the form is not shown any more (%s); `switchover approve` still works", error)

    thread = Thread(target=contextvars.copy_context().run, args=(show,), name="approval-form", daemon=True)
    thread.start()
    try:
        yield
    finally:
        if not answered.is_set():
            _resume(run_id)
        thread.join(_JOIN_SECONDS)


def _resume(run_id: str) -> None:
    """Let the run be a running one again, so that it can end as what it is."""
    try:
        resume_flow_run(UUID(run_id), run_input={"approve": False, "comment": "answered elsewhere"})
    except Exception as error:  # noqa: BLE001 a run that is not paused, or a server that is not there
        get_run_logger().debug("not resumed: %s", error)


def _describe(rollout: Rollout) -> str:
    old = f"{rollout.old_version} on {rollout.old_colour}" if rollout.old_version else "nothing"
    return (
        f"**{rollout.service} {rollout.release.version}** runs on {rollout.new_colour} and passed its smoke tests. "
        f"It has no users yet; {old} serves them all.\n\n"
        f"Artifact `{rollout.release.artifact.digest}`, commit `{rollout.release.source_commit or 'unknown'}`.\n\n"
        "Approve to send it traffic. Anything else leaves the live colour serving and removes this one."
    )
