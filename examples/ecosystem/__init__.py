"""Programs that were written for distributed and for libraries that build on it. All of them run on dagrpc."""
