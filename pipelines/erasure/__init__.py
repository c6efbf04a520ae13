"""What an erasure needs of DVC, S3 and MLflow; `countenance erase-subject` opens it, no pipeline runs it."""
