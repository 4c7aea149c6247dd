"""The command line: audits of tables and models, comparison of reports, a look into a zoo."""
