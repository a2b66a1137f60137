"""Oracle SQL for those who can't bring Python to the data: what an extraction needs, written as a script."""
