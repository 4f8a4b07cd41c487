"""The scheduler's gRPC services: messages in, events to the core; views of the core, messages out."""
