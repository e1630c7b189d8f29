// SPDX-License-Identifier: Apache-2.0
package skerry;

import static skerry.Check.bytes;
import static skerry.Check.equal;
import static skerry.Check.text;
import static skerry.Check.that;
import static skerry.Check.thrown;

import io.oxia.client.api.AsyncOxiaClient;
import io.oxia.client.api.CloseableIterable;
import io.oxia.client.api.GetResult;
import io.oxia.client.api.PutResult;
import io.oxia.client.api.RangeScanConsumer;
import io.oxia.client.api.SharedResources;
import io.oxia.client.api.SyncOxiaClient;
import io.oxia.client.api.exceptions.KeyAlreadyExistsException;
import io.oxia.client.api.exceptions.UnexpectedVersionIdException;
import io.oxia.client.api.options.DeleteOption;
import io.oxia.client.api.options.DeleteRangeOption;
import io.oxia.client.api.options.GetOption;
import io.oxia.client.api.options.ListOption;
import io.oxia.client.api.options.PutOption;
import io.oxia.client.api.options.RangeScanOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/** Writing, reading, listing and scanning, by both faces of the client. */
final class Records {
  private Records() {}

  static void addTo(Map<String, Main.Scenario> all) {
    all.put("put_and_get", Records::putAndGet);
    all.put("conditions", Records::conditions);
    all.put("comparisons", Records::comparisons);
    all.put("lists_and_scans", Records::listsAndScans);
    all.put("partition_keys", Records::partitionKeys);
    all.put("sequence_keys", Records::sequenceKeys);
    all.put("secondary_indexes", Records::secondaryIndexes);
    all.put("thousands_in_flight", Records::thousandsInFlight);
    all.put("asynchronous_scans", Records::asynchronousScans);
    all.put("large_values", Records::largeValues);
    all.put("shared_resources", Records::sharedResources);
  }

  private static List<String> numbered(String prefix, int from, int to) {
    return IntStream.range(from, to).mapToObj(n -> String.format("%s%03d", prefix, n)).toList();
  }

  /** In the order of the keys: of one shard as they come. From several shards this client hands records on as they arrive. */
  static List<String> keysOf(Main.World world, CloseableIterable<GetResult> scan) {
    List<String> keys = new ArrayList<>();
    try (scan) {
      scan.forEach(result -> keys.add(result.key()));
    }
    if (world.shards() > 1) Collections.sort(keys);
    return keys;
  }

  private static void putAndGet(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      that(client.get("/a") == null, "no record");
      PutResult put = client.put("/a", bytes("värde ✓"));
      equal("/a", put.key());
      equal(0L, put.version().modificationsCount());
      that(put.version().sessionId().isEmpty(), "no session");
      that(Math.abs(put.version().createdTimestamp() - System.currentTimeMillis()) < 60_000, "a stamp of now");
      GetResult got = client.get("/a");
      equal("värde ✓", text(got.value()));
      equal(put.version(), got.version());
      PutResult again = client.put("/a", bytes("2"));
      equal(1L, again.version().modificationsCount());
      that(again.version().versionId() > put.version().versionId(), "a higher version");
      equal(put.version().createdTimestamp(), again.version().createdTimestamp());
      equal(0, client.get("/a", Set.of(GetOption.ExcludeValue)).value().length);
      client.put("/empty", new byte[0]);
      equal(0, client.get("/empty").value().length);
      that(client.delete("/a") && !client.delete("/a"), "deleted once");
      that(client.get("/a") == null, "no record any more");
    }
  }

  private static void conditions(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      long first = client.put("/a", bytes("1"), Set.of(PutOption.IfRecordDoesNotExist)).version().versionId();
      thrown(KeyAlreadyExistsException.class, () -> client.put("/a", bytes("2"), Set.of(PutOption.IfRecordDoesNotExist)));
      long second = client.put("/a", bytes("2"), Set.of(PutOption.IfVersionIdEquals(first))).version().versionId();
      thrown(UnexpectedVersionIdException.class, () -> client.put("/a", bytes("3"), Set.of(PutOption.IfVersionIdEquals(first))));
      thrown(UnexpectedVersionIdException.class, () -> client.delete("/a", Set.of(DeleteOption.IfVersionIdEquals(first))));
      equal("2", text(client.get("/a").value()));
      that(client.delete("/a", Set.of(DeleteOption.IfVersionIdEquals(second))), "deleted");
      thrown(UnexpectedVersionIdException.class, () -> client.put("/b", bytes("1"), Set.of(PutOption.IfVersionIdEquals(77))));
    }
  }

  private static void comparisons(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      for (String name : "a b d e f".split(" ")) client.put("/" + name, bytes(name));
      equal("/b", client.get("/b", Set.of(GetOption.ComparisonEqual)).key());
      equal("/b", client.get("/b", Set.of(GetOption.ComparisonFloor)).key());
      equal("/b", client.get("/c", Set.of(GetOption.ComparisonFloor)).key());
      equal("/d", client.get("/c", Set.of(GetOption.ComparisonCeiling)).key());
      equal("/b", client.get("/d", Set.of(GetOption.ComparisonLower)).key());
      equal("/e", client.get("/d", Set.of(GetOption.ComparisonHigher)).key());
      equal("d", text(client.get("/c", Set.of(GetOption.ComparisonHigher)).value()));
      that(client.get("/f", Set.of(GetOption.ComparisonHigher)) == null, "none above the last");
      that(client.get("/a", Set.of(GetOption.ComparisonLower)) == null, "none below the first");
    }
  }

  private static void listsAndScans(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      for (String key : numbered("/k/", 0, 200)) client.put(key, bytes(key));
      client.put("/k/deep/er", bytes("x"));
      equal(numbered("/k/", 50, 150), client.list("/k/050", "/k/150"));
      equal(numbered("/k/", 50, 150), keysOf(world, client.rangeScan("/k/050", "/k/150")));
      List<String> children = new ArrayList<>(numbered("/k/", 0, 200));
      equal(children, client.list("/k/", "/k//"));   // what lies deeper comes later
      equal(children, keysOf(world, client.rangeScan("/k/", "/k//")));
      equal(List.of(), client.list("/x/", "/x//"));
      equal(List.of(), keysOf(world, client.rangeScan("/x/", "/x//")));
      client.deleteRange("/k/010", "/k/190");
      List<String> left = new ArrayList<>(numbered("/k/", 0, 10));
      left.addAll(numbered("/k/", 190, 200));
      equal(left, client.list("/k/", "/k//"));
      try (CloseableIterable<GetResult> begun = client.rangeScan("/k/", "/k//")) {   // and left in the middle
        that(begun.iterator().next().key().startsWith("/k/"), "a record of the range");
      }
      equal("/k/000", client.get("/k/000").key());
    }
  }

  private static void partitionKeys(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      for (String key : numbered("/k/", 0, 50)) client.put(key, bytes("x"), Set.of(PutOption.PartitionKey("p")));
      for (String key : numbered("/other/", 0, 50)) client.put(key, bytes("x"));
      equal(numbered("/k/", 0, 50), client.list("/k/", "/k//", Set.of(ListOption.PartitionKey("p"))));
      equal(numbered("/k/", 0, 50), keysOf(world, client.rangeScan("/k/", "/k//", Set.of(RangeScanOption.PartitionKey("p")))));
      equal("/k/007", client.get("/k/007", Set.of(GetOption.PartitionKey("p"))).key());
      equal("/k/007", client.get("/k/007+", Set.of(GetOption.PartitionKey("p"), GetOption.ComparisonFloor)).key());
      that(client.delete("/k/007", Set.of(DeleteOption.PartitionKey("p"))), "deleted");
      client.deleteRange("/k/000", "/k/040", Set.of(DeleteRangeOption.PartitionKey("p")));
      equal(numbered("/k/", 40, 50), client.list("/k/", "/k//"));
      equal(50, client.list("/other/", "/other//").size());
    }
  }

  private static void sequenceKeys(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      for (long n = 1; n <= 3; ++n) {
        Set<PutOption> options = Set.of(PutOption.PartitionKey("p"), PutOption.SequenceKeysDeltas(List.of(1L)));
        equal(String.format("/s-%020d", n), client.put("/s", bytes("x"), options).key());
      }
      Set<PutOption> two = Set.of(PutOption.PartitionKey("p"), PutOption.SequenceKeysDeltas(List.of(5L, 6L)));
      equal(String.format("/t-%020d-%020d", 5, 6), client.put("/t", bytes("x"), two).key());
      equal("x", text(client.get(String.format("/s-%020d", 2), Set.of(GetOption.PartitionKey("p"))).value()));
      thrown(Throwable.class, () -> client.put("/s", bytes("x"), Set.of(PutOption.SequenceKeysDeltas(List.of(1L)))));
    }
  }

  private static void secondaryIndexes(Main.World world) throws Exception {
    try (SyncOxiaClient client = world.connect()) {
      String[][] people = {{"/p/1", "Zoe", "50"}, {"/p/2", "Ada", "36"}, {"/p/3", "Max", "41"}, {"/p/4", "Eve", "29"}};
      for (String[] person : people) {
        client.put(person[0], bytes(person[1]), Set.of(PutOption.SecondaryIndex("name", person[1]), PutOption.SecondaryIndex("age", person[2])));
      }
      equal(new TreeSet<>(List.of("/p/2", "/p/3")), new TreeSet<>(client.list("30", "45", Set.of(ListOption.UseIndex("age")))));
      equal(new TreeSet<>(List.of("/p/2", "/p/4")), new TreeSet<>(keysOf(world, client.rangeScan("A", "F", Set.of(RangeScanOption.UseIndex("name"))))));
      equal("/p/3", client.get("Max", Set.of(GetOption.UseIndex("name"))).key());
      if (world.shards() == 1) {   // of several shards this client takes the nearest by primary key
        equal("/p/3", client.get("Lee", Set.of(GetOption.UseIndex("name"), GetOption.ComparisonCeiling)).key());
        equal("/p/4", client.get("Lee", Set.of(GetOption.UseIndex("name"), GetOption.ComparisonLower)).key());
      }
      client.put("/p/3", bytes("Moved"), Set.of(PutOption.SecondaryIndex("name", "Moved")));
      that(client.get("Max", Set.of(GetOption.UseIndex("name"))) == null, "the old entry is gone");
      equal(List.of(), client.list("40", "45", Set.of(ListOption.UseIndex("age"))));
    }
  }

  private static void thousandsInFlight(Main.World world) throws Exception {
    try (AsyncOxiaClient client = world.builder().asyncClient().get(20, TimeUnit.SECONDS)) {
      int count = 20_000;
      List<CompletableFuture<PutResult>> puts = new ArrayList<>();
      for (int n = 0; n < count; ++n) puts.add(client.put("/n/" + n, bytes("v" + n)));
      for (int n = 0; n < count; ++n) equal("/n/" + n, puts.get(n).get(60, TimeUnit.SECONDS).key());
      List<CompletableFuture<GetResult>> gets = new ArrayList<>();
      for (int n = 0; n < count; ++n) gets.add(client.get("/n/" + n));
      for (int n = 0; n < count; ++n) equal("v" + n, text(gets.get(n).get(60, TimeUnit.SECONDS).value()));
      List<CompletableFuture<Boolean>> deletes = new ArrayList<>();
      for (int n = 0; n < count; n += 2) deletes.add(client.delete("/n/" + n));
      for (CompletableFuture<Boolean> deleted : deletes) that(deleted.get(60, TimeUnit.SECONDS), "deleted");
      equal(count / 2, client.list("/n/", "/n//").get(60, TimeUnit.SECONDS).size());
      client.deleteRange("/n/", "/n//").get(60, TimeUnit.SECONDS);
      equal(List.of(), client.list("/n/", "/n//").get(60, TimeUnit.SECONDS));
    }
  }

  private static void asynchronousScans(Main.World world) throws Exception {
    try (AsyncOxiaClient client = world.builder().asyncClient().get(20, TimeUnit.SECONDS)) {
      List<CompletableFuture<PutResult>> puts = new ArrayList<>();
      byte[] value = new byte[500];
      for (int n = 0; n < 10_000; ++n) puts.add(client.put("/n/" + n, value));
      for (CompletableFuture<PutResult> put : puts) put.get(60, TimeUnit.SECONDS);
      List<String> keys = Collections.synchronizedList(new ArrayList<>());
      CompletableFuture<Void> ended = new CompletableFuture<>();
      client.rangeScan("/n/", "/n//", new RangeScanConsumer() {
        @Override
        public boolean onNext(GetResult result) {
          keys.add(result.key());
          return true;
        }

        @Override
        public void onError(Throwable error) {
          ended.completeExceptionally(error);
        }

        @Override
        public void onCompleted() {
          ended.complete(null);
        }
      });
      ended.get(60, TimeUnit.SECONDS);
      equal(10_000, new TreeSet<>(keys).size());
      equal(10_000, keys.size());
    }
  }

  private static void largeValues(Main.World world) throws Exception {
    byte[] value = new byte[3 << 20];   // below what the client's gRPC takes by default
    for (int n = 0; n < value.length; ++n) value[n] = (byte) n;
    try (SyncOxiaClient client = world.connect()) {
      client.put("/large", value);
      that(java.util.Arrays.equals(value, client.get("/large").value()), "the same bytes");
      try (CloseableIterable<GetResult> scan = client.rangeScan("/large", "/largf")) {
        that(java.util.Arrays.equals(value, scan.iterator().next().value()), "the same bytes");
      }
    }
  }

  private static void sharedResources(Main.World world) throws Exception {
    try (SharedResources shared = SharedResources.builder().build()) {
      try (SyncOxiaClient one = world.builder().sharedResources(shared).syncClient();
          SyncOxiaClient two = world.builder().sharedResources(shared).syncClient()) {
        one.put("/a", bytes("1"));
        equal("1", text(two.get("/a").value()));
      }
    }
  }
}
