"""The countries of ISO 3166-1, under the names that pycountry has when the site is set up."""

import pycountry
from django.db import migrations

# The European Commission and most tables of addresses name Kosovo so; CLDR numbers it 983.
KOSOVO = (983, "XK", "Kosovo")

EU = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
).split()
GROUPS = {
    "EU": ("European Union", EU),
    "EEA": ("European Economic Area", [*EU, "IS", "LI", "NO"]),
}


def fill(apps, schema_editor):
    region_model = apps.get_model("licensing", "Region")
    group_model = apps.get_model("licensing", "RegionGroup")
    rows = [
        (int(country.numeric), country.alpha_2, getattr(country, "common_name", country.name))
        for country in pycountry.countries
    ]
    region_model.objects.bulk_create(
        [
            region_model(id=number, code=code, name=name)
            for number, code, name in sorted([*rows, KOSOVO])
        ],
        ignore_conflicts=True,
    )
    for code, (name, members) in GROUPS.items():
        group, _ = group_model.objects.get_or_create(code=code, defaults={"name": name})
        group.members.set(region_model.objects.filter(code__in=members))


class Migration(migrations.Migration):
    dependencies = [("licensing", "0001_regions_networks_licences")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
