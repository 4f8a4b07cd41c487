package dev.dagrpc.client;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.dagrpc.v1.Failure;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;

/** Why a call has no result. */
public sealed class DagrpcException extends RuntimeException {
  private DagrpcException(String message) {
    super(message);
  }

  /** A task that failed. */
  public static final class TaskFailed extends DagrpcException {
    public final transient Failure failure;

    TaskFailed(String key, Failure failure) {
      super("task " + key + " failed: " + failure.getTypeName() + ": " + failure.getMessage());
      this.failure = failure;
    }

    /** The kind of the failure in short: APPLICATION, TIMEOUT, KILLED_WORKER, ... */
    public String kind() {
      return failure.getKind().name().replace("FAILURE_KIND_", "");
    }
  }

  /** A task that was cancelled. */
  public static final class Cancelled extends DagrpcException {
    Cancelled(String message) {
      super(message);
    }
  }

  /** A task that does not exist, or no longer. */
  public static final class UnknownTask extends DagrpcException {
    UnknownTask(String message) {
      super(message);
    }
  }

  /** A value that is neither JSON nor bytes. */
  public static final class NotEncodable extends DagrpcException {
    NotEncodable(String message) {
      super(message);
    }
  }

  /** A request that the cluster refused. */
  public static final class Refused extends DagrpcException {
    public final Status.Code code;
    /** A name of errors.proto such as UNKNOWN_SESSION; empty if gRPC itself failed. */
    public final String reason;

    final long retryAfterMillis;

    Refused(Status.Code code, String reason, String message, long retryAfterMillis) {
      super(code + " " + reason + ": " + message);
      this.code = code;
      this.reason = reason;
      this.retryAfterMillis = retryAfterMillis;
    }

    static Refused of(StatusRuntimeException error) {
      var reason = "";
      long retryAfter = 0;
      var status = StatusProto.fromThrowable(error);
      for (var detail : status == null ? java.util.List.<com.google.protobuf.Any>of() : status.getDetailsList()) {
        try {
          if (detail.is(ErrorInfo.class) && detail.unpack(ErrorInfo.class).getDomain().equals("dagrpc")) {
            reason = detail.unpack(ErrorInfo.class).getReason();
          } else if (detail.is(RetryInfo.class)) {
            var delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryAfter = delay.getSeconds() * 1000 + delay.getNanos() / 1_000_000;
          }
        } catch (InvalidProtocolBufferException broken) {
          // Without its details, the status still has a code.
        }
      }
      return new Refused(error.getStatus().getCode(), reason, error.getStatus().getDescription(), retryAfter);
    }

    /** Tells whether the same request may succeed later. */
    boolean mayHelp() {
      return code == Status.Code.UNAVAILABLE || (code == Status.Code.RESOURCE_EXHAUSTED && retryAfterMillis > 0);
    }
  }
}
