import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q

import atelier.core.numbers

STATUSES = ["pending", "delivered", "failed"]


class Migration(migrations.Migration):
    dependencies = [("core", "0003_restricted_scopes")]
    operations = [
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=atelier.core.numbers.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("event", models.TextField()),
                ("url", models.TextField()),
                ("payload", models.TextField()),
                (
                    "status",
                    models.TextField(
                        choices=[
                            ("pending", "Pending"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                    ),
                ),
                ("attempts", models.IntegerField(default=0)),
                ("last_status_code", models.IntegerField(null=True)),
                ("last_error", models.TextField(blank=True, default="")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("last_attempt_at", models.DateTimeField(null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(fields=["status", "-id"], name="delivery_by_status"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("status__in", STATUSES)), name="delivery_status_is_known"
                    ),
                    models.CheckConstraint(
                        condition=Q(("attempts__gte", 0)), name="delivery_attempts_are_counted"
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("status", "delivered"), _negated=True),
                            ("delivered_at__isnull", False),
                            _connector="OR",
                        ),
                        name="delivery_is_delivered_at_a_time",
                    ),
                ],
            },
        ),
    ]
