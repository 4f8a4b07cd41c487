export { Client, type Bound, type Options } from "./client";
export * from "./errors";
export { Lease, failureOf, isSettled } from "./lease";
export { type Call, Task } from "./values";
