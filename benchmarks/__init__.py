"""Speed measured against the usual way. Not part of the package."""
