from etl.commands import ImportCommand
from etl.files import PRODUCT_FILES, REVIEW_FILES


class Command(ImportCommand):
    help = "Load the whole data set from CSV, products and reviews, visible all at once."
    name = "import_all"
    wanted = PRODUCT_FILES + REVIEW_FILES
