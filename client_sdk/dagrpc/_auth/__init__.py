"""Authentication and authorization: certificates, tokens, roles and credentials."""
