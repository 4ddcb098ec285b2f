"""Results of a run, and the tables and pages made of them."""
