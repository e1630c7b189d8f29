// SPDX-License-Identifier: Apache-2.0
package skerry;

import static skerry.Check.bytes;
import static skerry.Check.equal;
import static skerry.Check.text;

import io.oxia.client.api.GetResult;
import io.oxia.client.api.Notification;
import io.oxia.client.api.SyncOxiaClient;
import io.oxia.client.api.exceptions.KeyAlreadyExistsException;
import io.oxia.client.api.options.DeleteOption;
import io.oxia.client.api.options.PutOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Locks as users of the client build them: an ephemeral record that must not exist yet, and notifications that tell when it is gone. */
final class Locks {
  private Locks() {}

  static void addTo(Map<String, Main.Scenario> all) {
    all.put("count_under_a_lock", Locks::count);
    all.put("take_the_lock_and_keep_it", Locks::keep);
    all.put("wait_for_the_lock", Locks::await);
  }

  /** The locks of one client. Fair to nobody, held by one at a time. */
  static final class LockManager {
    private final SyncOxiaClient client;
    private long changes = 0;   // of any lock, since the beginning

    LockManager(SyncOxiaClient client) {
      this.client = client;
      client.notifications(this::see);
    }

    private synchronized void see(Notification change) {
      if (!(change instanceof Notification.KeyDeleted)) return;
      ++changes;
      notifyAll();
    }

    private synchronized long changes() {
      return changes;
    }

    private synchronized void awaitChange(long since) throws InterruptedException {
      if (changes == since) wait(500);   // a follower that had not begun when the lock was given back
    }

    /** Returns the version that is needed to give it back. */
    long acquire(String name) throws Exception {
      for (;;) {
        long before = changes();
        try {
          return client.put(name, bytes("locked"), Set.of(PutOption.AsEphemeralRecord, PutOption.IfRecordDoesNotExist)).version().versionId();
        } catch (KeyAlreadyExistsException held) {
          awaitChange(before);
        }
      }
    }

    void release(String name, long version) throws Exception {
      client.delete(name, Set.of(DeleteOption.IfVersionIdEquals(version)));
    }
  }

  /** Reads and writes without conditions: two at a time would lose a count. */
  private static Void work(Main.World world, String name, int times) throws Exception {
    try (SyncOxiaClient client = Sessions.connect(world, 20, name)) {
      LockManager locks = new LockManager(client);
      for (int n = 0; n < times; ++n) {
        long lock = locks.acquire("/lock");
        GetResult got = client.get("/count");
        long count = got == null ? 0 : Long.parseLong(text(got.value()));
        client.put("/count", bytes(Long.toString(count + 1)));
        locks.release("/lock", lock);
      }
    }
    return null;
  }

  private static void count(Main.World world) throws Exception {
    int clients = Integer.parseInt(world.arguments().get(0)), times = Integer.parseInt(world.arguments().get(1));
    world.meet("begin");
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    List<Future<Void>> working = new ArrayList<>();
    for (int n = 0; n < clients; ++n) {
      String name = ProcessHandle.current().pid() + "-" + n;
      Callable<Void> task = () -> work(world, name, times);
      working.add(threads.submit(task));
    }
    for (Future<Void> one : working) one.get(100, TimeUnit.SECONDS);
    threads.shutdown();
  }

  private static void keep(Main.World world) throws Exception {
    try (SyncOxiaClient client = Sessions.connect(world, 3, "keeper")) {
      new LockManager(client).acquire("/lock");
      world.meet("locked");
    }
  }

  private static void await(Main.World world) throws Exception {
    try (SyncOxiaClient client = Sessions.connect(world, 3, "waiter")) {
      LockManager locks = new LockManager(client);
      equal("keeper", client.get("/lock").version().clientIdentifier().orElseThrow());
      world.meet("waiting");
      locks.release("/lock", locks.acquire("/lock"));
    }
  }
}
