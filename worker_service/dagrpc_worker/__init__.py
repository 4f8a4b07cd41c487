"""The worker and the nanny of dagrpc."""
