from etl.commands import ImportCommand
from etl.files import REVIEW_FILES


class Command(ImportCommand):
    help = "Load reviews, their photos, characteristics and their ratings from CSV."
    name = "import_reviews"
    wanted = REVIEW_FILES
