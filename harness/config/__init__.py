"""Task profiles as typed tables; every section of a profile has its module here."""
