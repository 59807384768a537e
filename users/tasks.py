"""What the worker does for profiles by the clock."""

from procrastinate.contrib.django import app

from users.services.mapping import map_tenants

QUEUE = "housekeeping"


@app.periodic(cron="23 3 * * *")
@app.task(name="map_profiles", queue=QUEUE, queueing_lock="map_profiles", lock="map_profiles")
def map_profiles(timestamp: int) -> None:
    """Words become frequent, and a sort's last zone grows: once a night is often enough."""
    map_tenants()
