"""The only readers of SNDS tables: the schema, the extract folder, identity, and what their rows mean."""
