from etl.commands import ImportCommand
from etl.people.files import PEOPLE_FILES
from etl.people.importing import PeopleImport


class Command(ImportCommand):
    help = "Load accounts and profiles from CSV, visible all at once."
    name = "import_users"
    wanted = PEOPLE_FILES
    importer = PeopleImport
    deletes = False
