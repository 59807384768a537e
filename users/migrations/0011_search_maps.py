import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0010_search_zones'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.TextField(db_collation='C')),
                ('profiles', models.BigIntegerField()),
                ('map', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='users.searchmap')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('map', 'key'), name='one_search_count_a_key')],
            },
        ),
        migrations.AddField(
            model_name='searchmap',
            name='idle_since',
            field=models.DateTimeField(null=True),
        ),
    ]
