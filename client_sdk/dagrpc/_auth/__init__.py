"""Who may call what: certificates, tokens, roles, and the credentials that are made of them."""
