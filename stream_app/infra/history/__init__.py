"""The history store in PostgreSQL: tables, the merge of windows, questions, archives. The only importer of asyncpg."""
