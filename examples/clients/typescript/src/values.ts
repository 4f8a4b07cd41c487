import type { Argument } from "./v1/dagrpc/v1/Argument";
import type { NamedCall } from "./v1/dagrpc/v1/NamedCall";
import type { TaskOptions } from "./v1/dagrpc/v1/TaskOptions";
import type { Payload__Output } from "./v1/dagrpc/v1/Payload";
import { NotEncodableError } from "./errors";

/** As an argument: the result of the task with this key, whoever submitted it. */
export class Task {
  constructor(readonly key: string) {}
}

/** A function's name with its arguments: values of JSON, Uint8Array, or Task. */
export interface Call {
  key?: string;
  function: string;
  arguments?: unknown[];
  named?: Record<string, unknown>;
  options?: TaskOptions;
}

export function namedCall(call: Call, key: string): NamedCall {
  const named = Object.entries(call.named ?? {}).map(([name, value]) => [name, argument(value)]);
  return {
    key,
    options: call.options ?? null,
    call: {
      entrypoint: call.function,
      arguments: (call.arguments ?? []).map(argument),
      keywordArguments: Object.fromEntries(named),
    },
  };
}

function argument(value: unknown): Argument {
  if (value instanceof Task) return { task: value.key };
  if (value instanceof Uint8Array) return { value: { encoding: "raw", data: value } };
  // JSON.stringify turns NaN and the infinities into null without a word.
  const text = JSON.stringify(value, (_, each) => {
    if (typeof each === "number" && !Number.isFinite(each)) throw new NotEncodableError(`${each} is no JSON`);
    return each;
  });
  if (text === undefined) throw new NotEncodableError(`a ${typeof value} is no JSON`);
  return { value: { encoding: "json", data: Buffer.from(text) } };
}

/** Returns a result: bytes, or the value of JSON. */
export function decoded(payload: Pick<Payload__Output, "encoding" | "data">): unknown {
  return payload.encoding === "raw" ? payload.data : JSON.parse(payload.data.toString());
}
