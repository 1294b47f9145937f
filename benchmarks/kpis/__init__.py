"""The numbers beside hand-written SQL for them: `python -m benchmarks.kpis`."""
