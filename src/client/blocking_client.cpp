// SPDX-License-Identifier: Apache-2.0
#include "client/blocking_client.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "client/client.hpp"
#include "net/tcp.hpp"
#include "runtime/core_threads.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {
namespace {

// Where a thread waits for what the core makes.
template <class T>
class Slot {
 public:
  void put(Result<T> result) {
    const std::lock_guard lock(mutex_);
    if (!result_) result_.emplace(std::move(result));
    filled_.notify_all();
  }
  Result<T> wait() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return result_.has_value(); });
    return std::move(*result_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<Result<T>> result_;
};

// In a coroutine's frame: whoever waits learns of a cancellation too.
template <class T>
class Filler {
 public:
  explicit Filler(std::shared_ptr<Slot<T>> slot) : slot_(std::move(slot)) {}
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;
  ~Filler() { slot_->put(fail(Errc::cancelled)); }
  void put(Result<T> result) { slot_->put(std::move(result)); }

 private:
  std::shared_ptr<Slot<T>> slot_;
};

template <class T>
using Work = std::move_only_function<Task<Result<T>>()>;

template <class T>
Task<> run_into(Work<T> work, std::shared_ptr<Slot<T>> slot) {
  Filler<T> filler(std::move(slot));
  filler.put(co_await work());
}

// What is fetched from the core in one go, so that the hop between threads is paid once for many.
constexpr std::size_t visit_batch = 256;

using Records = std::vector<Record>;

Task<Result<Records>> fetch(Scan& scan, std::size_t count_max) {
  Records records;
  std::size_t bytes = 0;
  while (records.size() < count_max && bytes < (std::size_t{1} << 20)) {
    CO_TRY(std::optional<Record> record, co_await scan.next());
    if (!record) break;
    bytes += record->key.size() + record->value.size();
    records.push_back(std::move(*record));
  }
  co_return records;
}

struct SeenChange {
  Change change;
  bool last_of_entry = false;   // everything up to its offset has been handed out
};
struct Changes {
  std::vector<SeenChange> seen;
  Positions after;              // all of them
};

Task<Result<Changes>> fetch_changes(ChangeFollower& follower) {
  Changes changes;
  CO_TRY(Change first, co_await follower.next());
  std::optional<Change> change = std::move(first);
  while (change) {
    const auto position = follower.positions().find(change->shard);
    const bool last = position != follower.positions().end() && position->second == change->offset;
    changes.seen.push_back({std::move(*change), last});
    if (changes.seen.size() >= visit_batch) break;
    change = follower.try_next();
  }
  changes.after = follower.positions();
  co_return changes;
}

}  // namespace

struct BlockingClient::Members {
  explicit Members()
      : cores(1, clock, Random::system_seed()), network(core()), calls(core()), interruption(core()), threads(cores, {}) {}

  Core& core() { return cores.core(CoreId{0}); }

  template <class T>
  Result<T> call(Work<T> work) {
    const auto slot = std::make_shared<Slot<T>>();
    core().post_from_outside([this, slot, work = std::move(work)]() mutable {
      if (interrupted) return slot->put(fail(Errc::cancelled));
      calls.spawn(run_into<T>(std::move(work), slot));
    });
    return slot->wait();
  }
  // Whether the scope still holds a task, which may be on its last steps.
  bool running(const TaskScope& scope) {
    const auto slot = std::make_shared<Slot<bool>>();
    core().post_from_outside([&scope, slot] { slot->put(scope.size() > 0); });
    return slot->wait().value_or(false);
  }

  SystemClock clock;
  Cores cores;
  net::TcpNetwork network;
  std::unique_ptr<Client> client;
  TaskScope calls;
  TaskScope interruption;            // cancels those
  CoreThreads threads;
  bool interrupted = false;          // the core's

  std::mutex puts_mutex;
  std::condition_variable puts_changed;
  std::size_t puts_pending = 0, put_bytes_pending = 0;
  std::size_t puts_wake_below = 0, put_bytes_wake_below = 0;
  bool should_wake() const {
    return puts_pending == 0 || (puts_pending <= puts_wake_below && put_bytes_pending <= put_bytes_wake_below);
  }
};

namespace {

Task<Result<bool>> stop(Client* client, TaskScope& calls, TaskScope& interruption) {
  co_await interruption.join();
  co_await calls.cancel_and_join();
  co_await client->stop();
  co_return true;
}

}  // namespace

BlockingClient::BlockingClient(std::unique_ptr<Members> members) : members_(std::move(members)) {}

Result<std::unique_ptr<BlockingClient>> BlockingClient::make(ClientOptions options) {
  auto members = std::make_unique<Members>();
  TRY(members->client, Client::make(members->core(), members->network, std::move(options)));
  TRYV(members->threads.start());
  members->core().post_from_outside([client = members->client.get()] { client->start(); });
  return std::unique_ptr<BlockingClient>(new BlockingClient(std::move(members)));
}

BlockingClient::~BlockingClient() {
  // The scope that interrupt() has closed takes no more work, so stopping has one of its own, alive until the thread has ended.
  TaskScope last(members_->core());
  const auto slot = std::make_shared<Slot<bool>>();
  members_->core().post_from_outside([this, slot, &last] {
    members_->interrupted = true;
    last.spawn(run_into<bool>([this] { return stop(members_->client.get(), members_->calls, members_->interruption); }, slot));
  });
  static_cast<void>(slot->wait());
  while (members_->running(last)) {}
  members_->threads.stop();
}

Result<PutResult> BlockingClient::put(std::string key, std::string value, PutOptions options) {
  return members_->call<PutResult>(
      [client = members_->client.get(), key = std::move(key), value = std::move(value), options = std::move(options)]() mutable {
        return client->put(std::move(key), std::move(value), std::move(options));
      });
}

Result<Record> BlockingClient::get(std::string key, GetOptions options) {
  return members_->call<Record>([client = members_->client.get(), key = std::move(key), options = std::move(options)]() mutable {
    return client->get(std::move(key), std::move(options));
  });
}

Result<> BlockingClient::remove(std::string key, DeleteOptions options) {
  return members_->call<void>([client = members_->client.get(), key = std::move(key), options = std::move(options)]() mutable {
    return client->remove(std::move(key), std::move(options));
  });
}

Result<BatchResult> BlockingClient::commit(AtomicBatch batch, BatchOptions options) {
  return members_->call<BatchResult>(
      [client = members_->client.get(), batch = std::move(batch), options = std::move(options)]() mutable {
        return client->commit(std::move(batch), std::move(options));
      });
}

Result<> BlockingClient::remove_range(KeyRange range, DeleteOptions options) {
  return members_->call<void>(
      [client = members_->client.get(), range = std::move(range), options = std::move(options)]() mutable {
        return client->remove_range(std::move(range), std::move(options));
      });
}

// --- puts that nobody waits for one by one

namespace {

// Tells how a put ended, also when it was cancelled.
class PutReport {
 public:
  PutReport(std::function<void(Result<PutResult>)> done_function, std::function<void()> leave)
      : done_(std::move(done_function)), leave_(std::move(leave)) {}
  PutReport(PutReport&&) = default;
  PutReport& operator=(PutReport&&) = delete;
  ~PutReport() {
    if (leave_) tell(fail(Errc::cancelled));
  }
  void tell(Result<PutResult> result) {
    done_(std::move(result));
    std::exchange(leave_, nullptr)();
  }

 private:
  std::function<void(Result<PutResult>)> done_;
  std::function<void()> leave_;
};

Task<> put_and_tell(Client& client, std::string key, std::string value, PutOptions options, PutReport report) {
  report.tell(co_await client.put(std::move(key), std::move(value), std::move(options)));
}

}   // namespace

void BlockingClient::start_put(std::string key, std::string value, PutOptions options,
                               std::function<void(Result<PutResult>)> done_function) {
  Members& members = *members_;
  const ClientOptions& limits = members.client->options();
  const std::size_t bytes = key.size() + value.size();
  {
    std::unique_lock lock(members.puts_mutex);
    const auto has_room = [&] {
      return members.puts_pending == 0 || (members.puts_pending < limits.pending_operations_max &&
                                           members.put_bytes_pending + bytes <= limits.pending_bytes_max);
    };
    if (!has_room()) {
      // Once full, a good part must drain first: threads that pass every single place on to each other do little else.
      members.puts_wake_below = limits.pending_operations_max * 3 / 4;
      members.put_bytes_wake_below = limits.pending_bytes_max * 3 / 4;
      members.puts_changed.wait(lock, [&] { return has_room() && members.should_wake(); });
    }
    ++members.puts_pending;
    members.put_bytes_pending += bytes;
  }
  PutReport report(std::move(done_function), [&members, bytes] {
    const std::lock_guard lock(members.puts_mutex);
    --members.puts_pending;
    members.put_bytes_pending -= bytes;
    if (members.should_wake()) members.puts_changed.notify_all();
  });
  members.core().post_from_outside([&members, key = std::move(key), value = std::move(value), options = std::move(options),
                                    report = std::move(report)]() mutable {
    if (members.interrupted) return;
    members.calls.spawn(put_and_tell(*members.client, std::move(key), std::move(value), std::move(options), std::move(report)));
  });
}

void BlockingClient::finish_puts() {
  std::unique_lock lock(members_->puts_mutex);
  members_->puts_changed.wait(lock, [this] { return members_->puts_pending == 0; });
}

// --- walks and followers

namespace {

Task<Result<std::unique_ptr<Scan>>> make_scan(Client& client, KeyRange range, RangeOptions options, Scan::Kind kind) {
  co_return kind == Scan::Kind::keys ? client.list(std::move(range), std::move(options))
                                     : client.scan(std::move(range), std::move(options));
}

Task<Result<std::unique_ptr<SequenceFollower>>> make_sequence(Client& client, std::string key, std::string partition_key) {
  co_return client.follow_sequence(std::move(key), std::move(partition_key));
}

Task<Result<std::string>> page_token_of(const Scan& scan) { co_return scan.page_token(); }

// Holds an object of the core, whose destructor may cancel calls and touch timers, in the caller's thread, and gives it back to
// the core in the end.
template <class T, class Members>
class Borrowed {
 public:
  Borrowed(Members& members, std::unique_ptr<T> object) : members_(members), object_(std::move(object)) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    const auto slot = std::make_shared<Slot<bool>>();
    members_.core().post_from_outside([slot, object = std::move(object_)]() mutable {
      object.reset();
      slot->put(true);
    });
    static_cast<void>(slot->wait());
  }
  T& operator*() { return *object_; }

 private:
  Members& members_;
  std::unique_ptr<T> object_;
};

template <class Members, class Visit>
Result<std::string> walk(Members& members, KeyRange range, RangeOptions options, Scan::Kind kind, Visit visit) {
  TRY(std::unique_ptr<Scan> made, members.template call<std::unique_ptr<Scan>>(
                                      [&members, range = std::move(range), options = std::move(options), kind]() mutable {
                                        return make_scan(*members.client, std::move(range), std::move(options), kind);
                                      }));
  Borrowed<Scan, Members> scan(members, std::move(made));
  // Small at first, so that who wants one key does not wait for hundreds.
  for (std::size_t count = 16;; count = visit_batch) {
    TRY(const Records records, members.template call<Records>([&scan, count] { return fetch(*scan, count); }));
    for (const Record& record : records) {
      if (!visit(record)) return std::string();
    }
    if (records.empty()) return members.template call<std::string>([&scan] { return page_token_of(*scan); });
  }
}

}   // namespace

Result<std::string> BlockingClient::list(KeyRange range, RangeOptions options, std::function<bool(const std::string&)> visit) {
  return walk(*members_, std::move(range), std::move(options), Scan::Kind::keys,
              [&visit](const Record& record) { return visit(record.key); });
}

Result<std::string> BlockingClient::scan(KeyRange range, RangeOptions options, std::function<bool(const Record&)> visit) {
  return walk(*members_, std::move(range), std::move(options), Scan::Kind::records, std::move(visit));
}

Result<> BlockingClient::follow_changes(FollowOptions options, std::function<void()> ready, VisitChange visit) {
  using Follower = std::unique_ptr<ChangeFollower>;
  Client& client = *members_->client;
  Positions after = options.after;
  TRY(Follower made, members_->call<Follower>([&client, options = std::move(options)]() mutable {
    return client.follow_changes(std::move(options));
  }));
  Borrowed<ChangeFollower, Members> follower(*members_, std::move(made));
  if (ready) ready();
  Positions positions = std::move(after);
  for (;;) {
    TRY(Changes changes, members_->call<Changes>([&follower] { return fetch_changes(*follower); }));
    for (const auto& [change, last_of_entry] : changes.seen) {
      if (last_of_entry) positions[change.shard] = change.offset;
      if (!visit(change, positions)) return {};
    }
    positions = std::move(changes.after);
  }
}

Result<> BlockingClient::follow_sequence(std::string key, std::string partition_key,
                                         std::function<bool(const std::string&)> visit) {
  using Follower = std::unique_ptr<SequenceFollower>;
  Client& client = *members_->client;
  TRY(Follower made,
      members_->call<Follower>([&client, key = std::move(key), partition_key = std::move(partition_key)]() mutable {
        return make_sequence(client, std::move(key), std::move(partition_key));
      }));
  Borrowed<SequenceFollower, Members> follower(*members_, std::move(made));
  for (;;) {
    TRY(const std::string highest, members_->call<std::string>([&follower] { return (*follower).next(); }));
    if (!visit(highest)) return {};
  }
}

namespace {

Task<> cancel_all(TaskScope& calls) { co_await calls.cancel_and_join(); }

}   // namespace

void BlockingClient::interrupt() {
  members_->core().post_from_outside([members = members_.get()] {
    if (std::exchange(members->interrupted, true)) return;
    members->interruption.spawn(cancel_all(members->calls));
  });
}

namespace {

Task<Result<std::string>> tell_trouble(Client& client) { co_return client.trouble(); }

}   // namespace

std::string BlockingClient::trouble() {
  return members_->call<std::string>([client = members_->client.get()] { return tell_trouble(*client); }).value_or("");
}

}   // namespace skerry::client
