"""Results for readers: tables, figures, HTML, Markdown and CSV."""
