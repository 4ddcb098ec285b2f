"""`exam`: MedQA questions to students, untrained and trained on each method's records."""
