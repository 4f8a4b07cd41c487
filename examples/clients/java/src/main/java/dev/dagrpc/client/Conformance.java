package dev.dagrpc.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.dagrpc.v1.TaskOptions;
import dev.dagrpc.v1.TaskStatus;
import java.io.File;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Runs the table of cases in examples/clients/conformance, and prints what came out. */
public final class Conformance {
  private static final Gson GSON = new GsonBuilder().serializeNulls().create();

  private final JsonObject config;
  private final String prefix;
  private final Map<String, Client> clients = new HashMap<>();

  private Conformance(JsonObject config) {
    this.config = config;
    prefix = text(config, "run") + "-";
  }

  public static void main(String[] arguments) throws Exception {
    var runner = new Conformance(read(arguments[0]).getAsJsonObject());
    var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (var each : read(text(runner.config, "cases")).getAsJsonArray()) {
      output.println(GSON.toJson(runner.run(each.getAsJsonObject())));
    }
    runner.clients.values().forEach(Client::close);
  }

  private static JsonElement read(String path) throws Exception {
    return JsonParser.parseString(Files.readString(Path.of(path)));
  }

  private JsonObject run(JsonObject described) throws Exception {
    var name = text(described, "case");
    var outcomes = new JsonArray();
    for (var step : described.getAsJsonArray("steps")) {
      outcomes.add(outcome(name, step.getAsJsonObject()));
    }
    try {
      lease(name, new JsonObject()).end(Duration.ofSeconds(60));
    } catch (DagrpcException.Refused none) {
      // Some cases make no lease.
    }
    return object("case", name, "outcomes", outcomes);
  }

  private Lease lease(String name, JsonObject step) throws Exception {
    return client(step).lease(prefix + name);
  }

  private Client client(JsonObject step) throws Exception {
    var address = text(config, step.has("through") ? "proxy" : "address");
    var token = text(config.getAsJsonObject("tokens"), step.has("as") ? text(step, "as") : "caller");
    if (!clients.containsKey(address + token)) {
      var files = List.of("ca", "certificate", "key").stream().map(name -> new File(text(config, name))).toList();
      var options = new Client.Options(files.get(0), files.get(1), files.get(2), text(config, "server_name"), token);
      clients.put(address + token, new Client(address, options));
    }
    return clients.get(address + token);
  }

  private JsonElement outcome(String name, JsonObject step) throws Exception {
    var seconds = step.has("seconds") ? step.get("seconds").getAsDouble() : 240;
    try {
      return perform(lease(name, step), step, Duration.ofMillis((long) (seconds * 1000)));
    } catch (DagrpcException error) {
      return failed(error);
    }
  }

  private JsonElement failed(DagrpcException error) {
    if (error instanceof DagrpcException.TaskFailed failed) {
      var origin = failed.failure.getOriginKey().replaceFirst(prefix, "");
      var type = failed.failure.getTypeName();
      return object("failed", failed.kind(), "type", type, "message", failed.failure.getMessage(), "origin", origin);
    }
    if (error instanceof DagrpcException.Refused refused) {
      return object("refused", refused.code.name(), "reason", refused.reason);
    }
    var isCancelled = error instanceof DagrpcException.Cancelled;
    var isUnknown = error instanceof DagrpcException.UnknownTask;
    return new JsonPrimitive(isCancelled ? "cancelled" : isUnknown ? "unknown" : "not encodable");
  }

  private JsonElement perform(Lease lease, JsonObject step, Duration timeout) throws Exception {
    switch (text(step, "do")) {
      case "submit":
        return submit(lease, step, timeout);
      case "wait":
        return states(lease.await(keys(step), timeout));
      case "watch":
        var wanted = new HashSet<>(keys(step));
        lease.watch(task -> !(Lease.isSettled(task) && wanted.remove(task.getKey()) && wanted.isEmpty()), timeout);
        return states(lease.await(keys(step), timeout));
      case "result":
        var hash = MessageDigest.getInstance("SHA-256");
        var size = new long[1];
        var counted = new OutputStream() {
          @Override
          public void write(int one) {
            size[0]++;
          }

          @Override
          public void write(byte[] data, int from, int length) {
            size[0] += length;
          }
        };
        var encoding = lease.copy(prefix + text(step, "key"), new DigestOutputStream(counted, hash), timeout);
        return object("encoding", encoding, "bytes", size[0], "sha256", HexFormat.of().formatHex(hash.digest()));
      case "cancel":
        lease.cancel(keys(step), step.has("interrupt"), timeout);
        return new JsonPrimitive("ok");
      case "release":
        lease.release(keys(step), timeout);
        return new JsonPrimitive("ok");
      case "functions":
        return GSON.toJsonTree(client(step).functions(text(step, "prefix"), timeout));
      default:
        throw new IllegalArgumentException("no step is called " + text(step, "do"));
    }
  }

  private JsonElement submit(Lease lease, JsonObject step, Duration timeout) {
    var end = System.nanoTime() + timeout.toNanos();
    var calls = new ArrayList<Call>();
    var isMany = step.has("each");
    if (isMany) {
      IntStream.range(0, step.get("each").getAsInt()).forEach(i -> calls.add(Call.of(text(step, "function"), i)));
    } else {
      step.getAsJsonArray("calls").forEach(each -> calls.add(call(each.getAsJsonObject())));
    }
    var submitted = lease.submit(calls, timeout);
    if (step.has("wait")) {
      return GSON.toJsonTree(submitted.stream().map(key -> "unsettled").toList());
    }
    var tasks = lease.await(submitted, Duration.ofNanos(end - System.nanoTime()));
    if (!isMany) {
      return states(tasks);
    }
    var sum = tasks.stream().mapToLong(task -> Long.parseLong(task.getValue().getData().toStringUtf8())).sum();
    return object("count", tasks.size(), "sum", sum);
  }

  private List<String> keys(JsonObject step) {
    var keys = new ArrayList<String>();
    step.getAsJsonArray("keys").forEach(key -> keys.add(prefix + key.getAsString()));
    return keys;
  }

  private Call call(JsonObject described) {
    var arguments = new ArrayList<Object>();
    described.getAsJsonArray("arguments").forEach(value -> arguments.add(argument(value)));
    var named = new HashMap<String, Object>();
    if (described.has("named")) {
      described.getAsJsonObject("named").asMap().forEach((name, value) -> named.put(name, argument(value)));
    }
    var options = TaskOptions.newBuilder();
    if (described.has("options")) {
      var given = described.getAsJsonObject("options");
      options.setRetries(given.has("retries") ? given.get("retries").getAsInt() : 0);
      options.setTimeoutSeconds(given.has("timeoutSeconds") ? given.get("timeoutSeconds").getAsDouble() : 0);
    }
    return new Call(prefix + text(described, "key"), text(described, "function"), arguments, named, options.build());
  }

  private Object argument(JsonElement value) {
    var described = value.isJsonObject() ? value.getAsJsonObject() : new JsonObject();
    if (described.has("$task")) {
      return new Call.Task(prefix + text(described, "$task"));
    }
    if (described.has("$shared")) {
      return new Call.Task(text(described, "$shared"));
    }
    if (described.has("$name")) {
      return prefix + text(described, "$name");
    }
    if (described.has("$nan")) {
      return Double.NaN;
    }
    if (described.has("$bytes")) {
      var data = new byte[described.get("$bytes").getAsInt()];
      for (int i = 0; i < data.length; i++) {
        data[i] = (byte) (i % 251);
      }
      return data;
    }
    return value;
  }

  private JsonArray states(List<TaskStatus> tasks) {
    var states = new JsonArray();
    tasks.forEach(task -> states.add(state(task)));
    return states;
  }

  private JsonElement state(TaskStatus task) {
    try {
      Lease.throwFailureOf(task);
    } catch (DagrpcException error) {
      return failed(error);
    }
    var value = task.getValue();
    if (value.getEncoding().equals("json")) {
      return object("value", JsonParser.parseString(value.getData().toStringUtf8()));
    }
    return object("raw", task.hasValue() ? value.getData().size() : task.getNbytes());
  }

  private static String text(JsonObject object, String name) {
    return object.get(name).getAsString();
  }

  private static JsonObject object(Object... pairs) {
    var made = new JsonObject();
    for (int i = 0; i < pairs.length; i += 2) {
      made.add((String) pairs[i], pairs[i + 1] == null ? JsonNull.INSTANCE : GSON.toJsonTree(pairs[i + 1]));
    }
    return made;
  }
}
