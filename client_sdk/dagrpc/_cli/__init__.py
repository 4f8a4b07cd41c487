"""What the commands of dagrpc share: options and the health check."""
