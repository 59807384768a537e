from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_outbox")]
    operations = [
        migrations.AddField(
            model_name="cachescope",
            name="is_restricted",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
