"""Stage 3: runs every export on its runtime, judges accuracy, measures latency. All light."""
