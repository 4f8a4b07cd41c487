package dev.dagrpc.client;

import com.google.protobuf.ByteString;
import dev.dagrpc.v1.CancelRequest;
import dev.dagrpc.v1.DataOutcome;
import dev.dagrpc.v1.LeasedState;
import dev.dagrpc.v1.RenewRequest;
import dev.dagrpc.v1.ResultRequest;
import dev.dagrpc.v1.ResultResponse;
import dev.dagrpc.v1.SubmitRequest;
import dev.dagrpc.v1.TaskStatus;
import dev.dagrpc.v1.WaitRequest;
import dev.dagrpc.v1.WatchRequest;
import io.grpc.Context;
import io.grpc.Deadline;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** Keeps tasks and their results until its time to live after the latest call is over. Each call takes a bound. */
public final class Lease {
  private static final List<String> ACCEPT = List.of("json", "raw");
  private static final int INLINE_LIMIT = 1 << 20;
  // A scheduler lets a call wait for up to five minutes; proxies often less.
  private static final long LONGEST_WAIT = 50_000;
  private static final long SHORT_PAUSE = 10;

  private final Client client;
  private final String name;

  Lease(Client client, String name) {
    this.client = client;
    this.name = name;
  }

  /** Submits calls, which may use each other's results in any order; returns the keys of their tasks. */
  public List<String> submit(List<Call> calls, Duration timeout) {
    var response = send(SubmitRequest.newBuilder(), calls, Client.deadline(timeout));
    return response.stream().map(TaskStatus::getKey).toList();
  }

  /** Submits a call and returns its result. */
  public Result run(Call call, Duration timeout) {
    var deadline = Client.deadline(timeout);
    var task = send(SubmitRequest.newBuilder().setWait(within(deadline)), List.of(call), deadline).get(0);
    return outcome(task, deadline);
  }

  private List<TaskStatus> send(SubmitRequest.Builder request, List<Call> calls, Deadline deadline) {
    request.setLease(name).addAllAccept(ACCEPT).setInlineLimit(INLINE_LIMIT);
    calls.forEach(call -> request.addCalls(call.message()));
    var message = request.build();
    return client.retried(deadline, stub -> stub.submit(message)).getTasksList();
  }

  /** Waits until all tasks are settled; returns their states, with results of up to 1 MiB. */
  public List<TaskStatus> await(List<String> keys, Duration timeout) {
    return await(keys, Client.deadline(timeout));
  }

  private List<TaskStatus> await(List<String> keys, Deadline deadline) {
    var request = WaitRequest.newBuilder().setLease(name).addAllKeys(keys).addAllAccept(ACCEPT).setInlineLimit(INLINE_LIMIT);
    while (true) {
      var tasks = client.retried(deadline, stub -> stub.wait(request.setTimeout(within(deadline)).build())).getTasksList();
      if (tasks.stream().allMatch(Lease::isSettled)) {
        return tasks;
      }
      Client.sleep(SHORT_PAUSE, deadline);
    }
  }

  /** Waits for a task and returns its result. */
  public Result result(String key, Duration timeout) {
    var deadline = Client.deadline(timeout);
    return outcome(await(List.of(key), deadline).get(0), deadline);
  }

  private Result outcome(TaskStatus given, Deadline deadline) {
    var task = isSettled(given) ? given : await(List.of(given.getKey()), deadline).get(0);
    throwFailureOf(task);
    if (task.hasValue()) {
      return new Result(task.getValue().getEncoding(), task.getValue().getData().toByteArray());
    }
    var data = new ByteArrayOutputStream();
    return new Result(copy(task.getKey(), data, deadline), data.toByteArray());
  }

  /** Waits for a task and writes its result, a piece at a time; goes on where it was after a broken connection. */
  public String copy(String key, OutputStream to, Duration timeout) {
    return copy(key, to, Client.deadline(timeout));
  }

  private String copy(String key, OutputStream to, Deadline deadline) {
    var request = ResultRequest.newBuilder().setKey(key).addAllAccept(ACCEPT).setLease(name);
    while (true) {
      var task = client.retried(deadline, stub -> {
        TaskStatus first = null;
        var parts = stub.result(request.setTimeout(within(deadline)).build());
        while (parts.hasNext()) {
          ResultResponse part = parts.next();
          first = part.hasTask() ? part.getTask() : first;
          write(part.getData(), to);
          request.setOffset(request.getOffset() + part.getData().size());
        }
        return first;
      });
      throwFailureOf(task);
      if (task.getValueOutcome() == DataOutcome.DATA_OUTCOME_OK) {
        return task.getValue().getEncoding();
      }
      Client.sleep(SHORT_PAUSE, deadline);
    }
  }

  private static void write(ByteString data, OutputStream to) {
    try {
      data.writeTo(to);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Calls a function with the state of each task whenever it changes, until the function returns false. */
  public void watch(Predicate<TaskStatus> take, Duration timeout) {
    var deadline = Client.deadline(timeout);
    var request = WatchRequest.newBuilder().setLease(name);
    var wanted = true;
    while (wanted) {
      // What follows a stream that ended begins after the last change that was seen.
      wanted = client.retried(deadline, stub -> {
        var context = Context.current().withCancellation();
        var before = context.attach();
        try {
          for (var changes = stub.watch(request.build()); changes.hasNext(); ) {
            var task = changes.next().getTask();
            request.setCursor(task.getCursor());
            if (!take.test(task)) {
              return false;
            }
          }
          return true;
        } finally {
          context.detach(before);
          context.cancel(null);
        }
      });
    }
  }

  /** Cancels tasks that nobody else wants; interrupt: also those that run, as far as their workers can. */
  public void cancel(List<String> keys, boolean interrupt, Duration timeout) {
    var request = CancelRequest.newBuilder().setLease(name).addAllKeys(keys).setInterrupt(interrupt).build();
    client.retried(Client.deadline(timeout), stub -> stub.cancel(request));
  }

  /** Releases tasks that are no longer wanted. */
  public void release(List<String> keys, Duration timeout) {
    var request = RenewRequest.newBuilder().setLease(name).addAllRelease(keys).build();
    client.retried(Client.deadline(timeout), stub -> stub.renew(request));
  }

  /** Ends the lease, and releases all that it holds. */
  public void end(Duration timeout) {
    var request = RenewRequest.newBuilder().setLease(name).setEnd(true).build();
    client.retried(Client.deadline(timeout), stub -> stub.renew(request));
  }

  /** Throws why a task has no result, unless it has one, or may have one later. */
  public static void throwFailureOf(TaskStatus task) {
    switch (task.getState()) {
      case LEASED_STATE_FAILED -> throw new DagrpcException.TaskFailed(task.getKey(), task.getFailure());
      case LEASED_STATE_CANCELLED -> throw new DagrpcException.Cancelled(task.getKey() + ": " + task.getReason());
      case LEASED_STATE_UNKNOWN -> throw new DagrpcException.UnknownTask(task.getKey());
      default -> { }
    }
    if (task.getValueOutcome() == DataOutcome.DATA_OUTCOME_NOT_ENCODABLE) {
      throw new DagrpcException.NotEncodable(task.getKey() + ": " + task.getReason());
    }
  }

  /** A result that is missing was lost with its worker at this moment, and is computed again. */
  public static boolean isSettled(TaskStatus task) {
    var open = task.getState() == LeasedState.LEASED_STATE_PENDING || task.getState() == LeasedState.LEASED_STATE_RUNNING;
    return !open && task.getValueOutcome() != DataOutcome.DATA_OUTCOME_MISSING;
  }

  private static com.google.protobuf.Duration within(Deadline deadline) {
    var wait = Math.max(Math.min(LONGEST_WAIT, deadline.timeRemaining(TimeUnit.MILLISECONDS)), 1);
    return com.google.protobuf.Duration.newBuilder().setSeconds(wait / 1000).setNanos((int) (wait % 1000 * 1_000_000)).build();
  }
}
