package dev.dagrpc.client;

import dev.dagrpc.v1.ListFunctionsRequest;
import dev.dagrpc.v1.TaskServiceGrpc;
import io.grpc.ChannelCredentials;
import io.grpc.Deadline;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A connection to a scheduler, for any number of threads. */
public final class Client implements AutoCloseable {
  private static final long FIRST_PAUSE = 50;
  private static final long LONGEST_PAUSE = 5_000;
  private static final long PATIENCE = 60_000;
  // The default, 4 MiB, is less than what a scheduler may send.
  private static final int LARGEST_MESSAGE = 64 << 20;

  private final ManagedChannel channel;
  private final TaskServiceGrpc.TaskServiceBlockingStub stub;

  /** Settings of a connection; null: without. TLS needs the authority; certificate and key are shown to the scheduler. */
  public record Options(File authority, File certificate, File key, String serverName, String token) {}

  public Client(String address, Options options) throws IOException {
    ChannelCredentials credentials = InsecureChannelCredentials.create();
    if (options.authority() != null) {
      var tls = TlsChannelCredentials.newBuilder().trustManager(options.authority());
      if (options.certificate() != null) {
        tls.keyManager(options.certificate(), options.key());
      }
      credentials = tls.build();
    }
    // The client repeats calls itself: it knows from ErrorInfo which ones.
    var builder = Grpc.newChannelBuilder(address, credentials).maxInboundMessageSize(LARGEST_MESSAGE).disableRetry();
    if (options.serverName() != null) {
      builder.overrideAuthority(options.serverName());
    }
    channel = builder.build();
    var headers = new Metadata();
    if (options.token() != null) {
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + options.token());
    }
    var interceptor = MetadataUtils.newAttachHeadersInterceptor(headers);
    stub = TaskServiceGrpc.newBlockingStub(channel).withInterceptors(interceptor);
  }

  /** Returns the lease of a name, which is made by its first submission. Who knows the name may use the lease. */
  public Lease lease(String name) {
    return new Lease(this, name);
  }

  /** Runs a function and returns its result. */
  public Result call(Duration timeout, String function, Object... arguments) {
    var lease = lease(UUID.randomUUID().toString());
    try {
      return lease.run(Call.of(function, arguments), timeout);
    } finally {
      lease.end(timeout);
    }
  }

  /** Lists the names of functions that begin with a prefix. */
  public List<String> functions(String prefix, Duration timeout) {
    var names = new ArrayList<String>();
    var request = ListFunctionsRequest.newBuilder().setPrefix(prefix);
    do {
      var page = retried(deadline(timeout), stub -> stub.listFunctions(request.build()));
      page.getFunctionsList().forEach(each -> names.add(each.getName()));
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    return names;
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  static Deadline deadline(Duration timeout) {
    return Deadline.after(timeout.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Makes a call that may be repeated, again and again while that may help. */
  <R> R retried(Deadline deadline, Function<TaskServiceGrpc.TaskServiceBlockingStub, R> call) {
    var begin = System.nanoTime();
    for (long pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return call.apply(stub.withDeadline(deadline));
      } catch (StatusRuntimeException error) {
        var refusal = DagrpcException.Refused.of(error);
        if (!refusal.mayHelp() || System.nanoTime() - begin > TimeUnit.MILLISECONDS.toNanos(PATIENCE)) {
          throw refusal;
        }
        sleep((long) (Math.max(pause, refusal.retryAfterMillis) * (1 + ThreadLocalRandom.current().nextDouble())), deadline);
        // By default, gRPC waits up to two minutes before it connects again.
        channel.resetConnectBackoff();
      }
    }
  }

  static void sleep(long millis, Deadline deadline) {
    if (deadline.timeRemaining(TimeUnit.MILLISECONDS) < millis) {
      throw new DagrpcException.Refused(Status.Code.DEADLINE_EXCEEDED, "", "the time is over", 0);
    }
    try {
      Thread.sleep(millis);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new DagrpcException.Refused(Status.Code.CANCELLED, "", "the thread was interrupted", 0);
    }
  }
}
