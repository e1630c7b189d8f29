// SPDX-License-Identifier: Apache-2.0
package skerry;

import static skerry.Check.bytes;
import static skerry.Check.equal;
import static skerry.Check.eventually;
import static skerry.Check.that;

import io.oxia.client.api.Notification;
import io.oxia.client.api.SyncOxiaClient;
import io.oxia.client.api.options.DeleteRangeOption;
import io.oxia.client.api.options.GetSequenceUpdatesOption;
import io.oxia.client.api.options.PutOption;
import java.io.Closeable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Changes as they come. */
final class Followers {
  private Followers() {}

  static void addTo(Map<String, Main.Scenario> all) {
    all.put("notifications", Followers::notifications);
    all.put("every_subscriber_sees_all", Followers::everySubscriber);
    all.put("notifications_go_on_after_a_kill", Followers::afterKill);
    all.put("sequence_updates", Followers::sequenceUpdates);
  }

  static List<Notification> collect(SyncOxiaClient client) {
    List<Notification> seen = Collections.synchronizedList(new ArrayList<>());
    client.notifications(seen::add);
    return seen;
  }

  private static Set<String> keysOf(List<Notification> seen) {
    synchronized (seen) {
      return seen.stream().map(Notification::key).collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /** A follower begins at some moment after it asked: changes are made until it has seen some, of every shard. */
  private static void awaitFollowing(SyncOxiaClient client, List<Notification> seen) throws Exception {
    for (int n = 0; n < 24; ++n) {
      String key = "/begin/" + n;
      eventually("the followers have begun", () -> {
        client.put(key, bytes("x"));
        Thread.sleep(20);
        return keysOf(seen).contains(key);
      });
    }
  }

  private static void notifications(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      List<Notification> seen = collect(client);
      awaitFollowing(client, seen);
      seen.clear();
      long first = client.put("/a", bytes("1")).version().versionId();
      long second = client.put("/a", bytes("2")).version().versionId();
      client.delete("/a");
      List<Notification> expected = List.of(new Notification.KeyCreated("/a", first), new Notification.KeyModified("/a", second),
          new Notification.KeyDeleted("/a"));
      eventually("three notifications in order", () -> seen.stream().filter(n -> n.key().equals("/a")).toList().equals(expected));
      client.deleteRange("/b", "/c", Set.of(DeleteRangeOption.PartitionKey("p")));
      eventually("the range", () -> seen.contains(new Notification.KeyRangeDelete("/b", "/c")));
    }
  }

  private static void everySubscriber(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect(); SyncOxiaClient other = world.connect()) {
      List<List<Notification>> all = List.of(collect(client), collect(client), collect(other));
      for (List<Notification> seen : all) awaitFollowing(client, seen);
      Set<String> keys = new TreeSet<>();
      for (int n = 0; n < 300; ++n) keys.add(client.put("/k/" + n, bytes("x")).key());
      for (List<Notification> seen : all) eventually("every key", () -> keysOf(seen).containsAll(keys));
      for (List<Notification> seen : all) {
        synchronized (seen) {
          equal(300L, seen.stream().filter(n -> n.key().startsWith("/k/")).count());
        }
      }
    }
  }

  private static void afterKill(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      List<Notification> seen = collect(client);
      awaitFollowing(client, seen);
      client.put("/before", bytes("x"));
      eventually("the change before", () -> keysOf(seen).contains("/before"));
      world.meet("kill and restart");
      eventually("a write", () -> client.put("/after", bytes("x")) != null);
      eventually("the change after", () -> keysOf(seen).contains("/after"));
      synchronized (seen) {
        equal(1L, seen.stream().filter(n -> n.key().equals("/before")).count());
      }
    }
  }

  private static void sequenceUpdates(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      List<String> seen = Collections.synchronizedList(new ArrayList<>());
      Closeable following = client.getSequenceUpdates("/s", seen::add, Set.of(GetSequenceUpdatesOption.PartitionKey("p")));
      for (int n = 0; n < 20; ++n) {
        client.put("/s", bytes("x"), Set.of(PutOption.PartitionKey("p"), PutOption.SequenceKeysDeltas(List.of(1L))));
      }
      String last = String.format("/s-%020d", 20);
      eventually("the last key", () -> !seen.isEmpty() && seen.get(seen.size() - 1).equals(last));
      synchronized (seen) {
        equal(new ArrayList<>(new TreeSet<>(seen)), seen);   // ever higher
      }
      following.close();
      that(client.get("/s", Set.of(io.oxia.client.api.options.GetOption.PartitionKey("p"))) == null, "only its keys with numbers exist");
    }
  }
}
