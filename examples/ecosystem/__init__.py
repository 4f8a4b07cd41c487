"""Programs that were written for distributed, with the libraries that people use beside it. Each runs on dagrpc."""
