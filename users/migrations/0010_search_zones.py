from django.db import migrations, models

# Maps are built anew from profiles (`manage.py map_profiles`); search finds the same without.
FORGET = "TRUNCATE users_searchzone, users_searchword, users_searchmap"
# As it is: searches read whole masks, and compressing would cost more than it saves.
UNCOMPRESSED = "ALTER TABLE users_searchword ALTER COLUMN zones SET STORAGE EXTERNAL"


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0009_profile_door"),
    ]

    operations = [
        migrations.RunSQL(FORGET, FORGET),
        migrations.RemoveField(model_name="searchmap", name="bits"),
        migrations.RemoveField(model_name="searchword", name="bit"),
        migrations.RemoveField(model_name="searchzone", name="mask"),
        migrations.AddField(
            model_name="searchmap", name="zones", field=models.IntegerField(), preserve_default=False
        ),
        migrations.AddField(
            model_name="searchword", name="zones", field=models.BinaryField(), preserve_default=False
        ),
        migrations.AddField(
            model_name="searchzone", name="number", field=models.IntegerField(), preserve_default=False
        ),
        migrations.RunSQL(UNCOMPRESSED, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="searchzone",
            constraint=models.UniqueConstraint(
                fields=("map", "number"), name="one_search_zone_a_number"
            ),
        ),
    ]
