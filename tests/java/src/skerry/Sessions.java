// SPDX-License-Identifier: Apache-2.0
package skerry;

import static skerry.Check.bytes;
import static skerry.Check.equal;
import static skerry.Check.eventually;
import static skerry.Check.that;

import io.oxia.client.api.GetResult;
import io.oxia.client.api.SyncOxiaClient;
import io.oxia.client.api.Version;
import io.oxia.client.api.options.PutOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Records that live as long as their client. */
final class Sessions {
  private Sessions() {}

  static void addTo(Map<String, Main.Scenario> all) {
    all.put("ephemeral_records_end_with_their_client", Sessions::endWithClient);
    all.put("heartbeats_keep_a_session", Sessions::heartbeats);
    all.put("sessions_outlive_a_kill_of_the_server", Sessions::outliveKill);
    all.put("hold_an_ephemeral_record", Sessions::hold);
    all.put("watch_it_end", Sessions::watch);
  }

  static SyncOxiaClient connect(Main.World world, int seconds, String name) throws Exception {
    return world.builder().sessionTimeout(Duration.ofSeconds(seconds)).clientIdentifier(name).syncClient();
  }

  private static void endWithClient(Main.World world) throws Exception {
    try (SyncOxiaClient watcher = world.connect()) {
      try (SyncOxiaClient client = connect(world, 20, "me")) {
        for (int n = 0; n < 20; ++n) {
          Version version = client.put("/e/" + n, bytes("x"), Set.of(PutOption.AsEphemeralRecord)).version();
          that(version.sessionId().isPresent(), "a session");
          equal(Optional.of("me"), version.clientIdentifier());
        }
        client.put("/e/0", bytes("kept"));
        equal(20, watcher.list("/e/", "/e//").size());
        that(watcher.get("/e/1").version().sessionId().isPresent() && watcher.get("/e/0").version().sessionId().isEmpty(), "one is kept");
      }
      eventually("the end of the records", () -> watcher.list("/e/", "/e//").equals(List.of("/e/0")));
    }
  }

  private static void heartbeats(Main.World world) throws Exception {
    try (SyncOxiaClient watcher = world.connect(); SyncOxiaClient client = connect(world, 3, "me")) {
      long session = client.put("/kept", bytes("x"), Set.of(PutOption.AsEphemeralRecord)).version().sessionId().orElseThrow();
      long until = System.nanoTime() + Duration.ofSeconds(8).toNanos();   // more than two timeouts
      while (System.nanoTime() < until) {
        GetResult got = watcher.get("/kept");
        that(got != null && got.version().sessionId().equals(Optional.of(session)), "the record is kept");
        Thread.sleep(100);
      }
    }
  }

  private static void outliveKill(Main.World world) throws Exception {
    try (SyncOxiaClient client = connect(world, 20, "me")) {
      long session = client.put("/kept", bytes("x"), Set.of(PutOption.AsEphemeralRecord)).version().sessionId().orElseThrow();
      world.meet("kill and restart");
      eventually("an answer", () -> client.get("/kept") != null);
      equal(Optional.of(session), client.get("/kept").version().sessionId());
      eventually("a write", () -> client.put("/more", bytes("x"), Set.of(PutOption.AsEphemeralRecord)) != null);
    }
    try (SyncOxiaClient watcher = world.connect()) {
      eventually("the end of the records", () -> watcher.list("/", "/~").isEmpty());
    }
  }

  /** Holds a record until this process is killed. */
  private static void hold(Main.World world) throws Exception {
    try (SyncOxiaClient client = connect(world, 3, "holder")) {
      client.put("/held", bytes("x"), Set.of(PutOption.AsEphemeralRecord));
      world.meet("holding");
    }
  }

  private static void watch(Main.World world) throws Exception {
    try (SyncOxiaClient watcher = world.connect()) {
      equal(Optional.of("holder"), watcher.get("/held").version().clientIdentifier());
      world.meet("seen");
      eventually("the end of the record", () -> watcher.get("/held") == null);
    }
  }
}
