"""The benchmark of a bundle on another machine, by ssh. Stays out of bundles."""
