package dev.dagrpc.client;

import com.google.gson.Gson;
import java.nio.charset.StandardCharsets;

/** A result as it came: JSON, or bytes if the encoding is {@code raw}. */
public record Result(String encoding, byte[] data) {
  /** Returns the value of JSON as a type. */
  public <T> T as(Class<T> type) {
    return new Gson().fromJson(new String(data, StandardCharsets.UTF_8), type);
  }
}
