"""The models that the rooms from evaluation on speak of, by the names that their data sets carry."""

CANDIDATES = ("student_alone", "student_distilled", "student_damaged")
"""What may be released, in the order of the demonstration's story."""

ASSESSED = ("all_in_one", "teacher", *CANDIDATES)
"""What is measured: the network of the training room and the teacher stand beside the candidates."""
