from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0006_profiles"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", False)),
                fields=["id"],
                name="deleted_profile_by_id",
            ),
        ),
        migrations.AddIndex(
            model_name="profile",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", False)),
                fields=["email_key"],
                name="deleted_profile_by_email",
            ),
        ),
    ]
