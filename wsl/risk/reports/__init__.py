"""Reports of audits, games and sources: tables, pages and files."""
