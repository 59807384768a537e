import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reviews", "0003_rejected_reviews")]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("review_id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "erased_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
    ]
