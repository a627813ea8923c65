"""The report on finished runs: one object, shown as a page, as Markdown and as JSON."""
