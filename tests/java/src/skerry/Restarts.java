// SPDX-License-Identifier: Apache-2.0
package skerry;

import static skerry.Check.bytes;
import static skerry.Check.equal;
import static skerry.Check.eventually;
import static skerry.Check.text;
import static skerry.Check.that;

import io.oxia.client.api.AsyncOxiaClient;
import io.oxia.client.api.GetResult;
import io.oxia.client.api.PutResult;
import io.oxia.client.api.SyncOxiaClient;
import io.oxia.client.api.options.GetOption;
import io.oxia.client.api.options.PutOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The server is killed and comes back, and the same client goes on. */
final class Restarts {
  private Restarts() {}

  static void addTo(Map<String, Main.Scenario> all) {
    all.put("a_client_goes_on_after_a_kill", Restarts::goOn);
    all.put("what_was_acknowledged_under_load_is_there_after_kills", Restarts::underLoad);
  }

  private static void goOn(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      for (int n = 0; n < 100; ++n) {
        client.put(String.format("/k/%03d", n), bytes("v" + n), Set.of(PutOption.SecondaryIndex("i", String.format("%03d", n))));
      }
      List<String> before = client.list("/k/", "/k//");
      equal(100, before.size());
      for (int round = 0; round < 3; ++round) {
        world.meet("kill and restart");
        eventually("an answer", () -> client.list("/k/", "/k//").equals(before));
        equal(before, Records.keysOf(world, client.rangeScan("/k/", "/k//")));
        equal("/k/042", client.get("042", Set.of(GetOption.UseIndex("i"))).key());
        eventually("a write", () -> client.put("/round", bytes("x")) != null);
      }
      that(client.get("/round") != null, "the write");
    }
  }

  /** Many writes in flight while the server dies. A write that failed may or may not be there; one that was answered is. */
  private static void underLoad(Main.World world) throws Exception {
    try (AsyncOxiaClient client = world.builder().asyncClient().get(20, TimeUnit.SECONDS)) {
      Map<String, CompletableFuture<PutResult>> puts = new LinkedHashMap<>();
      for (int round = 0; round < 3; ++round) {
        for (int n = 0; n < 5_000; ++n) {
          String key = "/" + round + "/" + n;
          puts.put(key, client.put(key, bytes(key)));
        }
        world.meet("kill and restart");
        CompletableFuture.allOf(puts.values().toArray(CompletableFuture[]::new)).handle((done, error) -> null).get(60, TimeUnit.SECONDS);
        eventually("an answer", () -> client.put("/alive", bytes("x")).get(20, TimeUnit.SECONDS) != null);
      }
      int acknowledged = 0;
      for (Map.Entry<String, CompletableFuture<PutResult>> put : puts.entrySet()) {
        if (put.getValue().isCompletedExceptionally()) continue;
        ++acknowledged;
        GetResult got = client.get(put.getKey()).get(20, TimeUnit.SECONDS);
        that(got != null && text(got.value()).equals(put.getKey()), put.getKey() + " was acknowledged");
      }
      that(acknowledged > 0, "some writes were acknowledged");
      System.out.println(acknowledged + " of " + puts.size() + " acknowledged");
    }
  }
}
