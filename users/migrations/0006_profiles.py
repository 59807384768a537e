import atelier.core.numbers
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0005_accounts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Profile",
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
                ("profile_type", models.TextField(default="personal")),
                ("full_name", models.TextField()),
                ("email", models.TextField()),
                ("email_key", models.TextField(editable=False)),
                ("mobile", models.TextField(blank=True, default="")),
                ("mobile_key", models.TextField(editable=False, null=True)),
                ("gender", models.TextField(blank=True, default="")),
                ("birth_date", models.DateField(blank=True, null=True)),
                ("address", models.TextField(blank=True, default="")),
                ("city", models.TextField(blank=True, default="")),
                ("country", models.TextField(blank=True, default="")),
                ("latitude", models.FloatField(blank=True, null=True)),
                ("longitude", models.FloatField(blank=True, null=True)),
                ("image", models.TextField(blank=True, default="", editable=False)),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("created_by", models.TextField(editable=False)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("updated_by", models.TextField(blank=True, default="", editable=False)),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("deleted_by", models.TextField(blank=True, default="", editable=False)),
                ("deleted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="profiles",
                        to="users.account",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="users.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Preference",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.TextField()),
                ("value", models.JSONField()),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "profile",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="preferences",
                        to="users.profile",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(
                condition=models.Q(("account__isnull", False)),
                fields=["account"],
                name="profile_by_account",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted_at__isnull", True)),
                fields=("tenant", "email_key"),
                name="one_live_profile_an_email",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("deleted_at__isnull", True), ("mobile_key__isnull", False)),
                fields=("tenant", "mobile_key"),
                name="one_live_profile_a_mobile",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("account__isnull", False), ("deleted_at__isnull", True)),
                fields=("account", "tenant", "profile_type"),
                name="one_live_profile_a_type",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("full_name", ""), _negated=True),
                    models.Q(("email_key", ""), _negated=True),
                    models.Q(("profile_type", ""), _negated=True),
                ),
                name="profile_has_name_and_email",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("mobile", ""), ("mobile_key__isnull", True)),
                    models.Q(
                        models.Q(("mobile", ""), _negated=True), ("mobile_key__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="profile_mobile_has_a_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("latitude__isnull", True), ("latitude__range", (-90, 90)), _connector="OR"
                ),
                name="profile_latitude_is_on_earth",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("longitude__isnull", True), ("longitude__range", (-180, 180)), _connector="OR"
                ),
                name="profile_longitude_is_on_earth",
            ),
        ),
        migrations.AddConstraint(
            model_name="profile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("deleted_at__isnull", True), ("deleted_by", "")),
                    models.Q(
                        ("deleted_at__isnull", False), models.Q(("deleted_by", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="profile_deletion_has_a_doer",
            ),
        ),
        migrations.AddConstraint(
            model_name="preference",
            constraint=models.UniqueConstraint(
                fields=("profile", "key"), name="one_preference_a_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="preference",
            constraint=models.CheckConstraint(
                condition=models.Q(("key", ""), _negated=True), name="preference_has_a_key"
            ),
        ),
    ]
