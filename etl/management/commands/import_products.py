from etl.commands import ImportCommand
from etl.files import PRODUCT_FILES


class Command(ImportCommand):
    help = "Load products, features, styles, photos, skus and related products from CSV."
    name = "import_products"
    wanted = PRODUCT_FILES
