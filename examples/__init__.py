"""Programs that use dagrpc as its users would."""
