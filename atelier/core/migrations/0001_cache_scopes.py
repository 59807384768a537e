import uuid

from django.db import migrations, models
from django.db.models.functions import Now

REQUIRE_PUBLICATION = """
CREATE FUNCTION require_publication() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('atelier.scopes', true), '') = '' THEN
        RAISE EXCEPTION 'a write to % outside the write door', tg_table_name
            USING HINT = 'Write through atelier.core.publishing.publish, which re-tags the caches.',
                  ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="CacheScope",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("tag", models.UUIDField(default=uuid.uuid4)),
                ("changed_at", models.DateTimeField(db_default=Now())),
            ],
        ),
        # Hot scopes are updated in place, so leave room on the page for the next version.
        migrations.RunSQL(
            "ALTER TABLE core_cachescope SET (fillfactor = 50)",
            "ALTER TABLE core_cachescope RESET (fillfactor)",
        ),
        migrations.RunSQL(REQUIRE_PUBLICATION, "DROP FUNCTION require_publication()"),
    ]
