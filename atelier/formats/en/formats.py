"""How the admin shows moments: to the second, and in which time zone."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
