// SPDX-License-Identifier: Apache-2.0
package skerry;

import io.oxia.client.api.OxiaClientBuilder;
import io.oxia.client.api.SyncOxiaClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs one scenario against a server: Main SCENARIO ADDRESS SHARDS [ARGUMENT...].
 *  Exit status 0 when all was as expected. Without arguments: the names. */
public final class Main {
  private Main() {}

  /** What a scenario is given. */
  record World(String address, int shards, List<String> arguments, BufferedReader input) {
    OxiaClientBuilder builder() {
      return OxiaClientBuilder.create(address).requestTimeout(Duration.ofSeconds(20)).connectionBackoff(Duration.ofMillis(20), Duration.ofMillis(500));
    }

    SyncOxiaClient connect() throws Exception {
      return builder().syncClient();
    }

    /** Tells whoever runs this, and waits for an answer. */
    void meet(String word) throws IOException {
      System.out.println("@" + word);
      if (input.readLine() == null) throw new IOException("nobody waits for " + word);
    }
  }

  interface Scenario {
    void run(World world) throws Exception;
  }

  private static Map<String, Scenario> scenarios() {
    Map<String, Scenario> all = new LinkedHashMap<>();
    Records.addTo(all);
    Followers.addTo(all);
    Sessions.addTo(all);
    Locks.addTo(all);
    Restarts.addTo(all);
    return all;
  }

  public static void main(String[] arguments) {
    Map<String, Scenario> all = scenarios();
    if (arguments.length == 0) {
      all.keySet().forEach(System.out::println);
      return;
    }
    int status = 0;
    try {
      BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
      List<String> rest = Arrays.asList(arguments).subList(3, arguments.length);
      all.get(arguments[0]).run(new World(arguments[1], Integer.parseInt(arguments[2]), rest, input));
      System.out.println("done");
    } catch (Throwable error) {
      error.printStackTrace();
      status = 1;
    }
    System.exit(status);   // whatever threads a client leaves behind
  }
}
