"""Use cases: commands (ingest, uploads) apart from queries. Sees the domain; sees infra only through ports."""
