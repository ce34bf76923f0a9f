"""Results as people read them: tables, figures, HTML and Markdown."""
