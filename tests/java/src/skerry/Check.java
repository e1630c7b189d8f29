// SPDX-License-Identifier: Apache-2.0
package skerry;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What a scenario expects, and how it says that it did not come. */
final class Check {
  private Check() {}

  static final Duration PATIENCE = Duration.ofSeconds(60);

  static void that(boolean condition, String what) {
    if (!condition) throw new AssertionError("expected: " + what);
  }

  static void equal(Object expected, Object got) {
    if (!Objects.equals(expected, got)) throw new AssertionError("expected " + expected + ", got " + got);
  }

  static <E extends Throwable> E thrown(Class<E> kind, Callable<?> call) {
    Object result;
    try {
      result = call.call();
    } catch (Throwable error) {
      for (Throwable cause = error; cause != null; cause = cause.getCause()) {
        if (kind.isInstance(cause)) return kind.cast(cause);
      }
      throw new AssertionError("expected " + kind.getSimpleName(), error);
    }
    throw new AssertionError("expected " + kind.getSimpleName() + ", got " + result);
  }

  /** Asks until the answer is yes; failures of the question count as no. */
  static void eventually(String what, Callable<Boolean> condition) throws InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    Throwable last = null;
    while (System.nanoTime() < deadline) {
      try {
        if (condition.call()) return;
      } catch (InterruptedException error) {
        throw error;
      } catch (Exception | AssertionError error) {
        last = error;
      }
      Thread.sleep(20);
    }
    throw new AssertionError("did not come within " + PATIENCE + ": " + what, last);
  }

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
