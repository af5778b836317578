"""How is a form made from a JSON schema, and how is what comes back read?"""
