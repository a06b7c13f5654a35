"""How right the metrics are: simulated assets whose truth is known, by kind."""
