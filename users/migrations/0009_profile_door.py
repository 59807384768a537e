from django.db import migrations

# A new profile is in no cache, so that its INSERT needs no door.
GUARD = """
CREATE TRIGGER require_publication BEFORE UPDATE OR DELETE ON users_profile
FOR EACH STATEMENT EXECUTE FUNCTION require_publication()
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0008_profile_search")]
    operations = [
        migrations.RunSQL(GUARD, "DROP TRIGGER require_publication ON users_profile"),
    ]
