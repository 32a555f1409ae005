"""The questions that auditors ask, and their answers: 25 queries, six reports, with a grade on every fact."""
