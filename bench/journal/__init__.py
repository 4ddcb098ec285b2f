"""The store of everything that was asked or computed by a model."""
