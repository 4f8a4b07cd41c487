package dev.dagrpc.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonIOException;
import com.google.protobuf.ByteString;
import dev.dagrpc.v1.Argument;
import dev.dagrpc.v1.NamedCall;
import dev.dagrpc.v1.Payload;
import dev.dagrpc.v1.TaskOptions;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** A function's name with its arguments: values that Gson writes, byte[], or a {@link Task}. A null key: any. */
public record Call(String key, String function, List<?> arguments, Map<String, ?> named, TaskOptions options) {
  private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  /** As an argument: the result of the task with this key, whoever submitted it. */
  public record Task(String key) {}

  public static Call of(String function, Object... arguments) {
    return new Call(null, function, List.of(arguments), Map.of(), TaskOptions.getDefaultInstance());
  }

  NamedCall message() {
    // With a key, the request can be repeated.
    var made = NamedCall.newBuilder().setKey(key == null ? UUID.randomUUID().toString() : key).setOptions(options);
    made.getCallBuilder().setEntrypoint(function);
    arguments.forEach(value -> made.getCallBuilder().addArguments(argument(value)));
    named.forEach((name, value) -> made.getCallBuilder().putKeywordArguments(name, argument(value)));
    return made.build();
  }

  private static Argument argument(Object value) {
    if (value instanceof Task task) {
      return Argument.newBuilder().setTask(task.key()).build();
    }
    var payload = Payload.newBuilder().setEncoding("raw");
    if (value instanceof byte[] bytes) {
      payload.setData(ByteString.copyFrom(bytes));
    } else {
      try {
        payload.setEncoding("json").setData(ByteString.copyFromUtf8(GSON.toJson(value)));
      } catch (IllegalArgumentException | JsonIOException error) {
        throw new DagrpcException.NotEncodable(error.getMessage());
      }
    }
    return Argument.newBuilder().setValue(payload).build();
  }
}
