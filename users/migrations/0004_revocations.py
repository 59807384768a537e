import django.db.models.functions.datetime
from django.db import migrations, models

# A token that ends before its time; what has expired needs no telling.
ON_TOKENS = """
CREATE TRIGGER note_revocation AFTER {event} ON oauth2_provider_accesstoken
FOR EACH ROW WHEN (OLD.expires > now()) EXECUTE FUNCTION note_token_revocation()
"""
# Whatever else a token depends on changes seldom: all tokens are read anew then.
ON_OWNERS = """
CREATE TRIGGER note_revocation AFTER UPDATE OF {columns} ON {table}
FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION note_revocation_of_all()
"""
OWNERS = {
    "users_client": "is_active, tenant_id, allowed_scopes, client_id",
    "users_tenant": "is_active, name",
    "users_user": "is_active",
}


class Migration(migrations.Migration):
    """PostgreSQL itself notes which tokens ended before their time, whoever ended them."""

    dependencies = [
        ("users", "0003_clients"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="Revocation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("subject", models.TextField(db_default="")),
                ("xid", models.BigIntegerField()),
                (
                    "revoked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["xid"], name="revocation_by_xid")],
            },
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION note_token_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO users_revocation (subject, xid)
                VALUES (OLD.token_checksum, pg_current_xact_id()::text::bigint);
                RETURN NULL;
            END $$;
            CREATE FUNCTION note_revocation_of_all() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO users_revocation (xid) VALUES (pg_current_xact_id()::text::bigint);
                RETURN NULL;
            END $$
            """,
            "DROP FUNCTION note_token_revocation; DROP FUNCTION note_revocation_of_all",
        ),
        migrations.RunSQL(
            ON_TOKENS.format(event="DELETE OR UPDATE"),
            "DROP TRIGGER note_revocation ON oauth2_provider_accesstoken",
        ),
        *[
            migrations.RunSQL(
                ON_OWNERS.format(table=table, columns=columns),
                f"DROP TRIGGER note_revocation ON {table}",
            )
            for table, columns in OWNERS.items()
        ],
    ]
