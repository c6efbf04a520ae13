"""The wiring: all Kedro code, and the only place that knows Kedro, MLflow, Great Expectations and Evidently."""
