import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { ProtoGrpcType } from "./v1/task_service";
import type { TaskServiceClient, TaskServiceDefinition } from "./v1/dagrpc/v1/TaskService";
import { RequestError } from "./errors";
import { Lease } from "./lease";

export interface Options {
  /** A file with the certificate authority of the scheduler: TLS. */
  ca?: string;
  /** Files with a certificate and its key to show. */
  certificate?: string;
  key?: string;
  /** What the scheduler's certificate is for, if not for the host of its address. */
  serverName?: string;
  /** A token to show with every call. */
  token?: string;
}

/** A bound for a call, with its retries. */
export interface Bound {
  timeoutMs?: number;
}

type Method<Request, Response> = Pick<
  loader.MethodDefinition<Request, unknown, unknown, Response>, "path" | "requestSerialize" | "responseDeserialize"
>;

const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 5_000;
const PATIENCE = 60_000;

/** A connection to a scheduler. */
export class Client {
  /** The calls of the contract, for `unary` and `stream`. */
  readonly service: TaskServiceDefinition;
  private readonly connection: TaskServiceClient;
  private readonly metadata = new grpc.Metadata();

  constructor(address: string, options: Options = {}) {
    const definition = loader.loadSync("dagrpc/v1/task_service.proto", {
      includeDirs: [__dirname], longs: Number, enums: String, defaults: true, oneofs: true,
    });
    const contract = grpc.loadPackageDefinition(definition) as unknown as ProtoGrpcType;
    const read = (path?: string) => (path ? readFileSync(path) : null);
    const credentials = options.ca
      ? grpc.credentials.createSsl(read(options.ca), read(options.key), read(options.certificate))
      : grpc.credentials.createInsecure();
    this.service = contract.dagrpc.v1.TaskService.service;
    this.connection = new contract.dagrpc.v1.TaskService(address, credentials, {
      // The default, 4 MiB, is less than what a scheduler may send.
      "grpc.max_receive_message_length": 64 << 20,
      "grpc.initial_reconnect_backoff_ms": FIRST_PAUSE,
      "grpc.max_reconnect_backoff_ms": LONGEST_PAUSE,
      // The client repeats calls itself: it knows from ErrorInfo which ones.
      "grpc.enable_retries": 0,
      ...(options.serverName ? { "grpc.ssl_target_name_override": options.serverName } : {}),
    });
    if (options.token) this.metadata.set("authorization", `Bearer ${options.token}`);
  }

  /** Returns the lease of a name, which is made by its first submission. Who knows the name may use the lease. */
  lease(name: string = randomUUID()): Lease {
    return new Lease(this, name);
  }

  /** Runs a function and returns its result. */
  async call(name: string, args: unknown[] = [], bound: Bound = {}): Promise<unknown> {
    const lease = this.lease();
    try {
      return await lease.run({ function: name, arguments: args }, bound);
    } finally {
      lease.end().catch(() => undefined);
    }
  }

  /** Lists the names of functions that begin with a prefix. */
  async functions(prefix: string, bound: Bound = {}): Promise<string[]> {
    const names: string[] = [];
    for (let pageToken = ""; ; ) {
      const page = await this.unary(this.service.ListFunctions, { prefix, pageToken }, deadlineOf(bound));
      names.push(...page.functions.map((each) => each.name));
      if (!(pageToken = page.nextPageToken)) return names;
    }
  }

  close(): void {
    this.connection.close();
  }

  /** Makes a unary call, again and again while that may help. */
  unary<Request, Response>(
    method: Method<Request, Response>, request: Request, deadline: number,
  ): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return this.retried(deadline, () => new Promise<Response>((resolve, reject) => {
      const done = (error: grpc.ServiceError | null, response?: Response) => (error ? reject(error) : resolve(response!));
      const options = { deadline };
      this.connection.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.metadata, options, done);
    }));
  }

  /** Calls a function with each message of a stream until it returns false. */
  async stream<Request, Response>(
    method: Method<Request, Response>,
    request: () => Request,
    deadline: number,
    take: (message: Response) => boolean | void | Promise<boolean | void>,
  ): Promise<void> {
    await this.retried(deadline, async () => {
      const { path, requestSerialize, responseDeserialize } = method;
      const stream = this.connection.makeServerStreamRequest(
        path, requestSerialize, responseDeserialize, request(), this.metadata, { deadline },
      );
      stream.on("error", () => undefined);
      for await (const message of stream) {
        if ((await take(message as Response)) === false) break;
      }
      stream.cancel();
    });
  }

  private async retried<Result>(deadline: number, attempt: () => Promise<Result>): Promise<Result> {
    const begin = Date.now();
    for (let wait = FIRST_PAUSE; ; wait = Math.min(2 * wait, LONGEST_PAUSE)) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Error) || !("code" in error) || !("metadata" in error)) throw error;
        const refusal = RequestError.of(error as grpc.ServiceError);
        if (!refusal.mayHelp || Date.now() - begin > PATIENCE) throw refusal;
        const span = Math.max(wait, refusal.retryAfter) * (1 + Math.random());
        if (Date.now() + span > deadline) throw new RequestError("DEADLINE_EXCEEDED", "", refusal.message);
        await pause(span);
      }
    }
  }
}

export function deadlineOf(bound: Bound): number {
  return bound.timeoutMs === undefined ? Infinity : Date.now() + bound.timeoutMs;
}
