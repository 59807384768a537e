"""The loading dock: CSV files of the legacy data set into PostgreSQL, every line accounted for."""
