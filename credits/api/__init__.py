"""The REST API: forms in, verbs called, JSON or a problem document out."""
