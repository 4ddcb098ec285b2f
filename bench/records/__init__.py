"""Patient records, their three formats, reading and writing."""
