"""`python -m benchmarks.pay`: what it takes to calculate pay, beside one statement that somebody wrote by hand."""
