from django.db import migrations

TABLES = ['review', 'reviewphoto', 'characteristic', 'characteristicreview', 'reviewmeta', 'characteristicmeta']


class Migration(migrations.Migration):
    """Leave room on every page, so that a changed row finds a place beside its old version and its
    indexes need not know."""

    dependencies = [("reviews", "0001_reviews")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE reviews_{table} SET (fillfactor = 95)",
            f"ALTER TABLE reviews_{table} RESET (fillfactor)",
        )
        for table in TABLES
    ]
