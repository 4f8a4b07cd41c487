"""Generated from protos/dagrpc/v1 by `make proto`; not edited by hand."""
