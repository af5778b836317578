"""What do all commands share? Lazy groups, errors as messages, tables and JSON, common options. Knows no database."""
