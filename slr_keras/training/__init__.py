"""Training: the step (``step``), the Keras model (``robust_classifier``) and the run (``loop``)."""
