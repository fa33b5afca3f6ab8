"""Networks on real data, from training to exports that are measured: templates for your own."""
