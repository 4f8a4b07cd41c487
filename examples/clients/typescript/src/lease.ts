import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { TaskStatus__Output } from "./v1/dagrpc/v1/TaskStatus";
import type { Bound, Client } from "./client";
import { deadlineOf } from "./client";
import { CancelledError, LostError, NotEncodableError, RequestError, TaskError, UnknownTaskError } from "./errors";
import { Call, decoded, namedCall } from "./values";

const ACCEPT = ["json", "raw"];
const INLINE_LIMIT = 1 << 20;
// A scheduler lets a call wait for up to five minutes; proxies often less.
const LONGEST_WAIT = 50_000;
const SHORT_PAUSE = 10;

/** Keeps tasks and their results until its time to live after the latest call is over. */
export class Lease {
  constructor(private readonly client: Client, readonly name: string) {}

  /** Submits calls, which may use each other's results in any order; returns the keys of their tasks. */
  async submit(calls: Call[], bound: Bound = {}): Promise<string[]> {
    return (await this.send(calls, deadlineOf(bound))).map((task) => task.key);
  }

  /** Submits a call and returns its result. */
  async run(call: Call, bound: Bound = {}): Promise<unknown> {
    const deadline = deadlineOf(bound);
    const [task] = await this.send([call], deadline, waitWithin(deadline));
    return this.outcome(task, deadline);
  }

  private async send(calls: Call[], deadline: number, wait?: object): Promise<TaskStatus__Output[]> {
    const request = {
      lease: this.name,
      // With keys, the request can be repeated.
      calls: calls.map((call) => namedCall(call, call.key ?? randomUUID())),
      accept: ACCEPT, inlineLimit: INLINE_LIMIT, wait,
    };
    return (await this.client.unary(this.client.service.Submit, request, deadline)).tasks;
  }

  /** Waits until all tasks are settled; returns their states, with results of up to 1 MiB. */
  async wait(keys: string[], bound: Bound = {}): Promise<TaskStatus__Output[]> {
    const deadline = deadlineOf(bound);
    for (;;) {
      const request = { lease: this.name, keys, timeout: waitWithin(deadline), accept: ACCEPT, inlineLimit: INLINE_LIMIT };
      const { tasks } = await this.client.unary(this.client.service.Wait, request, deadline);
      if (tasks.every(isSettled)) return tasks;
      await pause(SHORT_PAUSE);
    }
  }

  /** Waits for a task and returns its result. */
  async result(key: string, bound: Bound = {}): Promise<unknown> {
    const [task] = await this.wait([key], bound);
    return this.outcome(task, deadlineOf(bound));
  }

  private async outcome(task: TaskStatus__Output, deadline: number): Promise<unknown> {
    if (!isSettled(task)) [task] = await this.wait([task.key], { timeoutMs: deadline - Date.now() });
    const failure = failureOf(task);
    if (failure) throw failure;
    if (task.value) return decoded(task.value);
    const pieces: Buffer[] = [];
    const encoding = await this.copy(task.key, (piece) => void pieces.push(piece), { timeoutMs: deadline - Date.now() });
    return decoded({ encoding, data: Buffer.concat(pieces) });
  }

  /** Waits for a task and hands out its result, a piece at a time; goes on where it was after a broken connection. */
  async copy(key: string, take: (piece: Buffer) => void | Promise<void>, bound: Bound = {}): Promise<string> {
    const deadline = deadlineOf(bound);
    let [encoding, offset] = ["", 0];
    const request = () => ({ key, accept: ACCEPT, lease: this.name, timeout: waitWithin(deadline), offset });
    for (;;) {
      try {
        await this.client.stream(this.client.service.Result, request, deadline, async (part) => {
          if (part.task) {
            const failure = failureOf(part.task);
            if (failure) throw failure;
            if (part.task.valueOutcome !== "DATA_OUTCOME_OK") throw new LostError(part.task.reason);
            encoding = part.task.value?.encoding ?? "";
          } else {
            offset += part.data.length;
            await take(part.data);
          }
        });
        return encoding;
      } catch (error) {
        if (!(error instanceof LostError)) throw error;
        if (Date.now() > deadline) throw new RequestError("DEADLINE_EXCEEDED", "", error.message);
        await pause(SHORT_PAUSE);
      }
    }
  }

  /** Calls a function with the state of each task whenever it changes, until the function returns false. */
  async watch(take: (task: TaskStatus__Output) => boolean, bound: Bound = {}): Promise<void> {
    const deadline = deadlineOf(bound);
    let [cursor, wanted] = [0, true];
    // What follows a stream that ended begins after the last change that was seen.
    while (wanted) {
      await this.client.stream(this.client.service.Watch, () => ({ lease: this.name, cursor }), deadline, (change) => {
        cursor = change.task?.cursor ?? cursor;
        return (wanted = change.task ? take(change.task) : wanted);
      });
    }
  }

  /** Cancels tasks that nobody else wants; `interrupt`: also those that run, as far as their workers can. */
  async cancel(keys: string[], interrupt = false, bound: Bound = {}): Promise<void> {
    await this.client.unary(this.client.service.Cancel, { lease: this.name, keys, interrupt }, deadlineOf(bound));
  }

  /** Releases tasks that are no longer wanted. */
  async release(keys: string[], bound: Bound = {}): Promise<void> {
    await this.client.unary(this.client.service.Renew, { lease: this.name, release: keys }, deadlineOf(bound));
  }

  /** Ends the lease, and releases all that it holds. */
  async end(bound: Bound = {}): Promise<void> {
    await this.client.unary(this.client.service.Renew, { lease: this.name, end: true }, deadlineOf(bound));
  }
}

/** Tells why a task has no result; undefined if it has one, or may have one later. */
export function failureOf(task: TaskStatus__Output): Error | undefined {
  if (task.state === "LEASED_STATE_FAILED" && task.failure) return new TaskError(task.key, task.failure);
  if (task.state === "LEASED_STATE_CANCELLED") return new CancelledError(`${task.key}: ${task.reason}`);
  if (task.state === "LEASED_STATE_UNKNOWN") return new UnknownTaskError(task.key);
  if (task.valueOutcome === "DATA_OUTCOME_NOT_ENCODABLE") return new NotEncodableError(`${task.key}: ${task.reason}`);
  return undefined;
}

/** A result that is missing was lost with its worker at this moment, and is computed again. */
export function isSettled(task: TaskStatus__Output): boolean {
  const open = task.state === "LEASED_STATE_PENDING" || task.state === "LEASED_STATE_RUNNING";
  return !open && task.valueOutcome !== "DATA_OUTCOME_MISSING";
}

function waitWithin(deadline: number): { seconds: number; nanos: number } {
  const wait = Math.max(Math.min(LONGEST_WAIT, deadline - Date.now()), 1);
  return { seconds: Math.floor(wait / 1000), nanos: Math.floor((wait % 1000) * 1e6) };
}
