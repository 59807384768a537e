"""What the worker does: deliveries as they come, and housekeeping by the clock."""

from uuid import UUID

from procrastinate import JobContext, RetryDecision
from procrastinate.contrib.django import app
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy

from atelier.core.deliveries import services

HOUSEKEEPING = "housekeeping"
# A worker says every ten seconds that it lives.
STALLED_AFTER_SECONDS = 30
FAILED_JOBS_KEPT_HOURS = 7 * 24
# For what nobody foresaw, such as a database that goes away between two statements.
UNFORESEEN_ATTEMPTS = 30


class AsTheDeliverySays(BaseRetryStrategy):
    """Another attempt when TryAgain asks for it. A mistake in the code is tried again every minute
    for half an hour, and then stays as a failed job."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, services.TryAgain):
            return RetryDecision(retry_in={"seconds": max(1, round(exception.seconds))})
        if job.attempts >= UNFORESEEN_ATTEMPTS:
            return None
        return RetryDecision(retry_in={"seconds": 60})


@app.task(name=services.TASK, queue=services.QUEUE, retry=AsTheDeliverySays())
def deliver(delivery_id: str) -> None:
    services.attempt(delivery_id=UUID(delivery_id))


@app.periodic(cron="* * * * *")
@app.task(
    name="retry_stalled_jobs",
    queue=HOUSEKEEPING,
    queueing_lock="retry_stalled_jobs",
    pass_context=True,
)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Give up on workers that were killed: what they had begun is begun anew."""
    manager = context.app.job_manager
    stalled = await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS)
    for job in stalled:
        await manager.retry_job(job)


@app.periodic(cron="17 * * * *")
@app.task(
    name="remove_old_jobs",
    queue=HOUSEKEEPING,
    queueing_lock="remove_old_jobs",
    pass_context=True,
)
async def remove_old_jobs(context: JobContext, timestamp: int) -> None:
    """Jobs that succeed go at once (settings); these failed."""
    await context.app.job_manager.delete_old_jobs(
        nb_hours=FAILED_JOBS_KEPT_HOURS,
        include_failed=True,
        include_cancelled=True,
        include_aborted=True,
    )


@app.periodic(cron="47 * * * *")
@app.task(name="remove_old_deliveries", queue=HOUSEKEEPING, queueing_lock="remove_old_deliveries")
def remove_old_deliveries(timestamp: int) -> None:
    services.remove_old()
