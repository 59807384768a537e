import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import licensing.models
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0003_restricted_scopes'),
        ('products', '0002_room_for_updates'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RangeSource',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('name', models.TextField()),
                ('precedence', models.SmallIntegerField(default=100)),
                ('layout', models.TextField()),
                ('files', models.TextField()),
                ('lines', models.BigIntegerField(default=0)),
                ('rejected', models.BigIntegerField(default=0)),
                ('unplaced', models.BigIntegerField(default=0)),
                ('ranges', models.BigIntegerField(default=0)),
                ('loaded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name',), name='range_source_name_once')],
            },
        ),
        migrations.CreateModel(
            name='Region',
            fields=[
                ('id', models.IntegerField(primary_key=True, serialize=False)),
                ('code', models.TextField()),
                ('name', models.TextField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('code',), name='region_code_once'), models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z]{2}$')), name='region_code_form')],
            },
        ),
        migrations.CreateModel(
            name='IpRange',
            fields=[
                ('pk', models.CompositePrimaryKey('source_id', 'first_address', blank=True, editable=False, primary_key=True, serialize=False)),
                ('first_address', models.GenericIPAddressField()),
                ('last_address', models.GenericIPAddressField()),
                ('source', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='licensing.rangesource')),
                ('region', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='licensing.region')),
            ],
        ),
        migrations.CreateModel(
            name='RegionGroup',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('code', models.TextField()),
                ('name', models.TextField()),
                ('members', models.ManyToManyField(related_name='groups', to='licensing.region')),
            ],
        ),
        migrations.CreateModel(
            name='ProductLicence',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('territory', models.GeneratedField(db_persist=True, expression=django.db.models.functions.comparison.Coalesce(models.F('region'), models.ExpressionWrapper(django.db.models.expressions.CombinedExpression(models.F('group'), '*', models.Value(-1)), output_field=models.IntegerField()), output_field=models.IntegerField()), output_field=models.IntegerField())),
                ('effect', models.TextField(choices=[('allow', 'may be shown'), ('deny', 'may not be shown')], default='allow')),
                ('valid_from', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('valid_until', models.DateTimeField(blank=True, null=True)),
                ('note', models.TextField(blank=True, default='')),
                ('product', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='licences', to='products.product')),
                ('region', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='licensing.region')),
                ('group', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='licensing.regiongroup')),
            ],
        ),
        migrations.CreateModel(
            name='HistoricalProductLicence',
            fields=[
                ('id', models.BigIntegerField(blank=True, db_index=True)),
                ('effect', models.TextField(choices=[('allow', 'may be shown'), ('deny', 'may not be shown')], default='allow')),
                ('valid_from', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('valid_until', models.DateTimeField(blank=True, null=True)),
                ('note', models.TextField(blank=True, default='')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('product', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='products.product')),
                ('region', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='licensing.region')),
                ('group', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='licensing.regiongroup')),
            ],
            options={
                'verbose_name': 'historical product licence',
                'verbose_name_plural': 'historical product licences',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='NetworkOverride',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('network', licensing.models.NetworkField()),
                ('note', models.TextField(blank=True, default='')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('region', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='licensing.region')),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GistIndex(fields=['network'], name='override_by_network', opclasses=['inet_ops'])],
                'constraints': [models.UniqueConstraint(fields=('network',), name='override_network_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='regiongroup',
            constraint=models.UniqueConstraint(fields=('code',), name='region_group_code_once'),
        ),
        migrations.AddIndex(
            model_name='productlicence',
            index=models.Index(fields=['product', 'id'], name='licence_by_product'),
        ),
        migrations.AddConstraint(
            model_name='productlicence',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('group__isnull', False), ('region', None)), models.Q(('group', None), ('region__isnull', False)), _connector='OR'), name='licence_names_region_or_group'),
        ),
        migrations.AddConstraint(
            model_name='productlicence',
            constraint=models.CheckConstraint(condition=models.Q(('effect__in', ['allow', 'deny'])), name='licence_effect_known'),
        ),
        migrations.AddConstraint(
            model_name='productlicence',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until', None), ('valid_until__gt', models.F('valid_from')), _connector='OR'), name='licence_ends_after_it_begins'),
        ),
        migrations.AddConstraint(
            model_name='productlicence',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(models.F('product'), models.F('product'), models.Value('[]'), function='int8range', output_field=django.contrib.postgres.fields.ranges.BigIntegerRangeField()), '&&'), (models.Func(models.F('territory'), models.F('territory'), models.Value('[]'), function='int8range', output_field=django.contrib.postgres.fields.ranges.BigIntegerRangeField()), '&&'), (models.Func(models.F('valid_from'), models.F('valid_until'), function='tstzrange', output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField()), '&&')], name='licence_windows_apart'),
        ),
        migrations.RunSQL(
            "CREATE TRIGGER require_publication BEFORE INSERT OR DELETE OR UPDATE"
            " ON licensing_productlicence FOR EACH STATEMENT"
            " EXECUTE FUNCTION require_publication()",
            "DROP TRIGGER require_publication ON licensing_productlicence",
        ),
    ]
