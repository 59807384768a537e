import django.db.models.deletion
import django.db.models.functions.datetime
import simple_history.models
import uuid
from django.conf import settings
from django.db import migrations, models


def make_the_default_tenant(apps, schema_editor):
    apps.get_model("users", "Tenant").objects.get_or_create(
        name="default", defaults={"title": "The first tenant"}
    )


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0001_users"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.SlugField(db_index=False, max_length=63)),
                ("title", models.TextField(blank=True, default="")),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("name",), name="one_tenant_a_name"),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", "^[a-z0-9][a-z0-9-]{0,62}$")),
                        name="tenant_name_is_a_slug",
                        violation_error_message="Lower-case letters, digits and hyphens only.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoricalTenant",
            fields=[
                ("id", models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ("name", models.SlugField(db_index=False, max_length=63)),
                ("title", models.TextField(blank=True, default="")),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(
                        choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical tenant",
                "verbose_name_plural": "historical tenants",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.RunPython(make_the_default_tenant, migrations.RunPython.noop),
    ]
