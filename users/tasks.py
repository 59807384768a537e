"""What the worker does by the clock."""

from procrastinate.contrib.django import app

from users.services import tokens
from users.services.mapping import QUEUE, TASK, map_tenants


@app.periodic(cron="23 3 * * *")
@app.task(name=TASK, queue=QUEUE, queueing_lock=TASK, lock=TASK)
def map_profiles(timestamp: int) -> None:
    """Words become frequent, and a sort's last zone grows: once a night is often enough."""
    map_tenants()


@app.periodic(cron="41 3 * * *")
@app.task(name="prune_tokens", queue=QUEUE, queueing_lock="prune_tokens", lock="prune_tokens")
def prune_tokens(timestamp: int) -> None:
    """Expired tokens and old revocations are of no use to anybody."""
    tokens.prune_tokens()
