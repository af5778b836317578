"""Who is asking, and what may they do? Passwords, sessions, roles, forged requests."""
