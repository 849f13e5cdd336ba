"""How moments are written: to the second, on the 24-hour clock, and with their time zone."""

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = r"M j, Y, H:i:s \U\T\C"
