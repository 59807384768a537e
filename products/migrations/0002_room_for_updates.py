from django.db import migrations

TABLES = ['product', 'feature', 'style', 'photo', 'sku', 'relatedproduct']


class Migration(migrations.Migration):
    """Leave room on every page, so that a changed row finds a place beside its old version and its
    indexes need not know."""

    dependencies = [("products", "0001_catalogue")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE products_{table} SET (fillfactor = 95)",
            f"ALTER TABLE products_{table} RESET (fillfactor)",
        )
        for table in TABLES
    ]
