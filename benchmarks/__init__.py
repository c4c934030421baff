"""Benchmarks: `./bench NAME [--quick] [--json]`, each against peers that it starts in the same run."""
