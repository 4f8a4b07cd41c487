"""Sessions between two peers that outlive the streams that carry them."""
