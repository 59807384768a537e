from django.db import migrations


class Migration(migrations.Migration):
    """A vacuum that gives space back locks the table, which the next import reads and fills again
    anyway."""

    dependencies = [
        ("etl", "0003_fingerprints"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE etl_fingerprint"
            " SET (vacuum_truncate = off, toast.vacuum_truncate = off)",
            "ALTER TABLE etl_fingerprint RESET (vacuum_truncate, toast.vacuum_truncate)",
        ),
    ]
