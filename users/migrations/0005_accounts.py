import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q

STATUSES = ["Subscribed", "Expired", "None"]

# A new account is in no cache, so that its INSERT needs no door.
GUARD = """
CREATE TRIGGER require_publication BEFORE UPDATE OR DELETE ON users_account
FOR EACH STATEMENT EXECUTE FUNCTION require_publication()
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0004_deliveries"),
        ("licensing", "0001_regions_networks_licences"),
        ("users", "0004_revocations"),
    ]
    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("userid", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "subscription_status",
                    models.TextField(
                        choices=[
                            ("Subscribed", "Subscribed"),
                            ("Expired", "Expired"),
                            ("None", "None"),
                        ]
                    ),
                ),
                ("ip", models.GenericIPAddressField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("last_login_at", models.DateTimeField(null=True)),
                (
                    "region",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licensing.region",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["ip"], name="account_by_ip")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("subscription_status__in", STATUSES)),
                        name="account_status_is_known",
                    )
                ],
            },
        ),
        # Logins change a row in place, so leave room on the page for the next version.
        migrations.RunSQL(
            "ALTER TABLE users_account SET (fillfactor = 90)",
            "ALTER TABLE users_account RESET (fillfactor)",
        ),
        migrations.RunSQL(GUARD, "DROP TRIGGER require_publication ON users_account"),
    ]
