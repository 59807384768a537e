import datetime
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
import users.models.search
from django.db import migrations, models


# What stands behind the bar has B-trees of its own for longer beginnings. The lengths are those of
# users.terms. PL/pgSQL, which takes a quarter of the time of a query over sets.
SEARCH_KEYS = """
CREATE FUNCTION users_search_keys(tenant uuid, words text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
DECLARE
    prefix constant text := ' ' || left(tenant::text, 4);
    sizes integer[] := '{1,2,3,4,5,6,7,8,10,12,16}';
    keys text := '';
    word text;
    size integer;
    letters integer;
BEGIN
    FOREACH word IN ARRAY string_to_array(ltrim(words), ' ') LOOP
        IF word = '|' THEN
            sizes := '{1,2,3,4,5,6}';
            CONTINUE;
        END IF;
        letters := length(word);
        FOREACH size IN ARRAY sizes LOOP
            EXIT WHEN size > letters;
            keys := keys || prefix || left(word, size);
        END LOOP;
    END LOOP;
    RETURN string_to_array(ltrim(keys), ' ');
END
$$
"""


class BitMask(models.Field):
    def db_type(self, connection):
        return "bit varying"


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0007_profile_lists'),
    ]

    operations = [
        migrations.RunSQL(SEARCH_KEYS, "DROP FUNCTION users_search_keys(uuid, text)"),
        migrations.CreateModel(
            name='SearchMap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('profiles', models.BigIntegerField()),
                ('bits', models.IntegerField()),
                ('is_used', models.BooleanField(default=False)),
                ('is_kept', models.BooleanField(default=True)),
                ('built_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='SearchWord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.TextField(db_collation='C')),
                ('bit', models.IntegerField()),
                ('profiles', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='SearchZone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sort', models.TextField()),
                ('lower_key', models.TextField(db_collation='C')),
                ('lower_id', models.UUIDField()),
                ('upper_key', models.TextField(db_collation='C')),
                ('upper_id', models.UUIDField()),
                ('mask', BitMask()),
            ],
        ),
        migrations.AddField(
            model_name='profile',
            name='name_key',
            field=models.TextField(db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='profile',
            name='search_words',
            field=models.TextField(db_default='', default='', editable=False),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=django.contrib.postgres.indexes.GinIndex(users.models.search.SearchKeys('tenant', 'search_words'), condition=models.Q(('deleted_at__isnull', True)), fastupdate=False, name='profile_by_search_key'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Collate(models.F('name_key'), 'C'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_name_key'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Collate(models.F('email_key'), 'C'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_email_key'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Collate(django.db.models.functions.comparison.Coalesce(models.F('mobile_key'), models.Value('')), 'C'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_mobile_key'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Collate(django.db.models.functions.text.Left(models.F('gender'), 100), 'C'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_gender'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Coalesce(models.F('birth_date'), models.Value(datetime.date(1, 1, 1))), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_birth_date'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Collate(django.db.models.functions.text.Left(models.F('city'), 100), 'C'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_city'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), django.db.models.functions.comparison.Collate(django.db.models.functions.text.Left(models.F('country'), 100), 'C'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_country'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), models.F('created_at'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_created_at'),
        ),
        migrations.AddIndex(
            model_name='profile',
            index=models.Index(models.F('tenant'), models.F('updated_at'), models.F('id'), condition=models.Q(('deleted_at__isnull', True)), name='profile_by_updated_at'),
        ),
        migrations.AddField(
            model_name='searchmap',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='users.tenant'),
        ),
        migrations.AddField(
            model_name='searchword',
            name='map',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='users.searchmap'),
        ),
        migrations.AddField(
            model_name='searchzone',
            name='map',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='users.searchmap'),
        ),
        migrations.AddConstraint(
            model_name='searchmap',
            constraint=models.UniqueConstraint(condition=models.Q(('is_used', True)), fields=('tenant',), name='one_search_map_a_tenant'),
        ),
        migrations.AddConstraint(
            model_name="searchmap",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_used", False), ("is_kept", True), _connector="OR"),
                name="search_map_used_is_kept",
            ),
        ),
        migrations.AddConstraint(
            model_name='searchword',
            constraint=models.UniqueConstraint(fields=('map', 'key'), name='one_search_word_a_key'),
        ),
        migrations.AddConstraint(
            model_name='searchzone',
            constraint=models.UniqueConstraint(fields=('map', 'sort', 'lower_key', 'lower_id'), name='one_search_zone_a_beginning'),
        ),
    ]
