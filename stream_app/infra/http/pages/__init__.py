"""The dashboard: pages for browsers, which read the same API as every other client."""
