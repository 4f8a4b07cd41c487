import * as grpc from "@grpc/grpc-js";
import type { Failure__Output } from "./v1/dagrpc/v1/Failure";

/** A task that failed. */
export class TaskError extends Error {
  constructor(readonly key: string, readonly failure: Failure__Output) {
    super(`task ${key} failed: ${failure.typeName}: ${failure.message}`);
  }

  /** The kind of the failure in short: APPLICATION, TIMEOUT, KILLED_WORKER, ... */
  get kind(): string {
    return this.failure.kind.replace("FAILURE_KIND_", "");
  }
}

/** A task that was cancelled. */
export class CancelledError extends Error {}

/** A task that does not exist, or no longer. */
export class UnknownTaskError extends Error {}

/** A value that is neither JSON nor bytes. */
export class NotEncodableError extends Error {}

/** A result that was lost with its worker at this moment; it is computed again. */
export class LostError extends Error {}

/** A request that the cluster refused. */
export class RequestError extends Error {
  constructor(readonly code: string, readonly reason: string, message: string, readonly retryAfter = 0) {
    super(`${code} ${reason}: ${message}`);
  }

  /** Tells what a status says, with its details. */
  static of(error: grpc.ServiceError): RequestError {
    let reason = "";
    let retryAfter = 0;
    for (const [type, value] of detailsOf(error)) {
      if (type.endsWith("/google.rpc.ErrorInfo")) {
        const [name, domain] = [field(value, 1), field(value, 2)];
        if (domain?.toString() === "dagrpc") reason = name?.toString() ?? "";
      } else if (type.endsWith("/google.rpc.RetryInfo")) {
        const delay = field(value, 1) ?? Buffer.alloc(0);
        retryAfter = number(delay, 1) * 1000 + number(delay, 2) / 1e6;
      }
    }
    return new RequestError(grpc.status[error.code], reason, error.details, retryAfter);
  }

  /** Tells whether the same request may succeed later. */
  get mayHelp(): boolean {
    return this.code === "UNAVAILABLE" || (this.code === "RESOURCE_EXHAUSTED" && this.retryAfter > 0);
  }
}

// google.rpc.Status is small enough to be read without a library: field 3 has the details, each a name and bytes.
function* detailsOf(error: grpc.ServiceError): Generator<[string, Buffer]> {
  for (const status of error.metadata?.get("grpc-status-details-bin") ?? []) {
    for (const [tag, value] of fields(status as Buffer)) {
      if (tag === 3 && Buffer.isBuffer(value)) yield [String(field(value, 1)), field(value, 2) ?? Buffer.alloc(0)];
    }
  }
}

function field(data: Buffer, wanted: number): Buffer | undefined {
  for (const [tag, value] of fields(data)) if (tag === wanted && Buffer.isBuffer(value)) return value;
  return undefined;
}

function number(data: Buffer, wanted: number): number {
  for (const [tag, value] of fields(data)) if (tag === wanted && typeof value === "number") return value;
  return 0;
}

function* fields(data: Buffer): Generator<[number, Buffer | number]> {
  let at = 0;
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = data[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < data.length) {
    const tag = varint();
    if (tag % 8 === 0) yield [tag >> 3, varint()];
    else if (tag % 8 === 2) {
      const length = varint();
      yield [tag >> 3, data.subarray(at, (at += length))];
    } else return;
  }
}
