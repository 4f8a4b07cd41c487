// Runs the table of cases in examples/clients/conformance, and prints what came out.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  Call, CancelledError, Client, Lease, NotEncodableError, RequestError, Task, TaskError, UnknownTaskError, failureOf,
  isSettled,
} from "./index";

type Step = Record<string, any>;
type Status = Parameters<typeof failureOf>[0];

const read = (path: string) => JSON.parse(readFileSync(path, "utf-8"));
const config = read(process.argv[2]);
const prefix = `${config.run}-`;
const clients = new Map<string, Client>();

function lease(name: string, step: Step): Lease {
  return client(step).lease(prefix + name);
}

function client(step: Step): Client {
  const [address, token] = [step.through ? config.proxy : config.address, config.tokens[step.as ?? "caller"]];
  const known = clients.get(address + token);
  if (known) return known;
  const { ca, certificate, key, server_name: serverName } = config;
  const made = new Client(address, { ca, certificate, key, serverName, token });
  clients.set(address + token, made);
  return made;
}

async function outcome(name: string, step: Step): Promise<unknown> {
  try {
    return await steps[step.do](lease(name, step), step, { timeoutMs: (step.seconds ?? 240) * 1000 });
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): unknown {
  if (error instanceof TaskError) {
    const { typeName, message, originKey } = error.failure;
    return { failed: error.kind, type: typeName, message, origin: originKey.replace(prefix, "") };
  }
  if (error instanceof RequestError) return { refused: error.code, reason: error.reason };
  if (error instanceof NotEncodableError) return "not encodable";
  if (error instanceof CancelledError) return "cancelled";
  if (error instanceof UnknownTaskError) return "unknown";
  return { unexpected: String(error) };
}

function state(task: Status): unknown {
  const failure = failureOf(task);
  if (failure) return failed(failure);
  if (task.value?.encoding === "json") return { value: JSON.parse(task.value.data.toString()) };
  return { raw: task.value ? task.value.data.length : task.nbytes };
}

const keys = (step: Step): string[] => step.keys.map((key: string) => prefix + key);

const steps: Record<string, (lease: Lease, step: Step, bound: { timeoutMs: number }) => Promise<unknown>> = {
  async submit(lease, step, bound) {
    const deadline = Date.now() + bound.timeoutMs;
    const calls: Call[] = step.each
      ? Array.from({ length: step.each }, (_, i) => ({ function: step.function, arguments: [i] }))
      : step.calls.map(call);
    const submitted = await lease.submit(calls, bound);
    if (step.wait === false) return submitted.map(() => "unsettled");
    const tasks = await lease.wait(submitted, { timeoutMs: deadline - Date.now() });
    if (!step.each) return tasks.map(state);
    const values = tasks.map((task) => JSON.parse(task.value!.data.toString()) as number);
    return { count: values.length, sum: values.reduce((sum, value) => sum + value, 0) };
  },
  async wait(lease, step, bound) {
    return (await lease.wait(keys(step), bound)).map(state);
  },
  async watch(lease, step, bound) {
    const wanted = new Set(keys(step));
    await lease.watch((task) => {
      if (isSettled(task)) wanted.delete(task.key);
      return wanted.size > 0;
    }, bound);
    return (await lease.wait(keys(step), bound)).map(state);
  },
  async result(lease, step, bound) {
    const hash = createHash("sha256");
    let bytes = 0;
    const encoding = await lease.copy(prefix + step.key, (piece) => {
      bytes += piece.length;
      hash.update(piece);
    }, bound);
    return { encoding, bytes, sha256: hash.digest("hex") };
  },
  async cancel(lease, step, bound) {
    await lease.cancel(keys(step), step.interrupt ?? false, bound);
    return "ok";
  },
  async release(lease, step, bound) {
    await lease.release(keys(step), bound);
    return "ok";
  },
  async functions(_, step, bound) {
    return client(step).functions(step.prefix, bound);
  },
};

function call(described: Step): Call {
  const named = Object.entries(described.named ?? {}).map(([name, value]) => [name, argument(value)]);
  return {
    key: prefix + described.key,
    function: described.function,
    arguments: described.arguments.map(argument),
    named: Object.fromEntries(named),
    options: described.options,
  };
}

function argument(value: any): unknown {
  if (value?.$task !== undefined) return new Task(prefix + value.$task);
  if (value?.$shared !== undefined) return new Task(value.$shared);
  if (value?.$name !== undefined) return prefix + value.$name;
  if (value?.$nan !== undefined) return NaN;
  if (value?.$bytes !== undefined) return counted(value.$bytes);
  return value;
}

function counted(size: number): Uint8Array {
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) data[i] = i % 251;
  return data;
}

async function main(): Promise<void> {
  for (const each of read(config.cases)) {
    const outcomes: unknown[] = [];
    for (const step of each.steps) outcomes.push(await outcome(each.case, step));
    await lease(each.case, {}).end().catch(() => undefined);
    console.log(JSON.stringify({ case: each.case, outcomes }));
  }
  for (const client of clients.values()) client.close();
}

main();
