"""The contract as files: the `.proto` files, and a descriptor set of them with their comments."""
