"""Tables → event logs: SNDS extracts, XES, CSV and Parquet."""
