// SPDX-License-Identifier: Apache-2.0
#include "node/wal_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "base/nearest.hpp"
#include "disk/log_inspect.hpp"
#include "disk/machine_disk.hpp"
#include "node/cli_number.hpp"
#include "node/cluster_status.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

constexpr std::int64_t offset_none = std::numeric_limits<std::int64_t>::max();

struct WalFlags {
  std::string data_dir = "./data";
  std::string wal_dir;
  std::optional<std::int64_t> shard;
  std::string name_space;
  std::int64_t offset_first = 0;
  std::int64_t offset_last = offset_none;
  bool json = false;
};

// The shards that are asked for.
class Wanted {
 public:
  static Result<Wanted> make(disk::Disk& disk, const WalFlags& flags) {
    Wanted wanted;
    if (flags.offset_first > flags.offset_last) {
      return fail(Errc::invalid_argument, "--offset-first is above --offset-last: nothing lies between them");
    }
    if (flags.shard) wanted.shards_.emplace().insert(ShardId(*flags.shard));
    if (flags.name_space.empty()) return wanted;
    const std::string path = flags.data_dir + "/cluster-status.yaml";
    TRY(const Bytes text, disk::read_file(disk, path));
    const Result<ClusterStatus> status = ClusterStatus::from_yaml(text);
    if (!status) return fail(status.error().code, fmt::format("{}, {}", path, status.error().message()));
    const auto space = status->namespaces.find(flags.name_space);
    if (space == status->namespaces.end()) {
      std::vector<std::string> names;
      for (const auto& [name, each] : status->namespaces) names.push_back(name);
      return fail(Errc::not_found, fmt::format("{} has no namespace {}{}", flags.data_dir, printable(flags.name_space),
                                               did_you_mean(flags.name_space, names)));
    }
    std::set<ShardId> of_space;
    for (const auto& [id, shard] : space->second.shards) {
      if (!wanted.shards_ || wanted.shards_->contains(id)) of_space.insert(id);
    }
    if (of_space.empty()) {
      return fail(Errc::not_found, fmt::format("namespace {} has no shard {}", printable(flags.name_space), *flags.shard));
    }
    wanted.shards_ = std::move(of_space);
    return wanted;
  }
  bool all() const { return !shards_; }
  bool has(ShardId shard) const { return !shards_ || shards_->contains(shard); }
  const std::set<ShardId>& shards() const { return *shards_; }   // unless all()

 private:
  std::optional<std::set<ShardId>> shards_;   // nothing: all
};

// One log of the folder, by the name it is told under.
struct LogFolder {
  std::string name;   // "node-0"
  std::string path;
};

Result<std::vector<LogFolder>> find_logs(const disk::Disk& disk, const WalFlags& flags) {
  const std::string root = flags.wal_dir.empty() ? flags.data_dir : flags.wal_dir;
  const auto names = disk.list(root);
  if (!names) return fail(Errc::invalid_argument, names.error().message());   // it is what the command line names
  std::vector<LogFolder> found;
  for (const std::string& name : *names) {
    if (!name.starts_with("node-")) continue;
    const std::string path = fmt::format("{}/{}/log", root, name);
    TRY(const bool there, disk.exists(path));
    if (there) found.push_back({name, path});
  }
  if (found.empty()) {
    return fail(Errc::not_found,
                fmt::format("{} holds no logs (node-0/log, …): name the folder that `skerry standalone --data-dir` or "
                            "--wal-dir was given",
                            root));
  }
  return found;
}

// Where a write begins, and what was known where a segment begins: of the log itself, of no shard.
bool is_of_the_log(disk::RecordKind kind) { return kind == disk::RecordKind::batch || kind == disk::RecordKind::summary; }

bool is_wanted(const Wanted& wanted, const WalFlags& flags, const disk::RecordHeader& header) {
  if (is_of_the_log(header.kind) ? !wanted.all() : !wanted.has(header.shard)) return false;
  if (header.kind != disk::RecordKind::append) return flags.offset_first == 0;
  return header.offset.value() >= flags.offset_first && header.offset.value() <= flags.offset_last;
}

void print(const WalFlags& flags, const std::string& node, const disk::LogRecordView& record) {
  const disk::RecordHeader& header = record.header;
  const auto place =
      flags.json ? R"({{"node":"{}","file":"{}","position":{},"sequence":{},"kind":"{}")" : "{:<7} {}:{:<9} seq {:<8} {:<18}";
  fmt::print("{}", fmt::format(fmt::runtime(place), node, record.file, record.position, header.sequence, name_of(header.kind)));
  if (is_of_the_log(header.kind)) {
    fmt::print("{}\n", flags.json ? "}" : "");
    return;
  }
  const auto content =
      flags.json ? R"(,"shard":{},"term":{},"offset":{},"bytes":{}}})" : " shard {:<4} term {:<4} offset {:<8} {} bytes";
  fmt::print("{}\n", fmt::format(fmt::runtime(content), header.shard.value(), header.term.value(), header.offset.value(),
                                 header.payload_bytes));
}

// A plain function: what it refers to outlives the scan.
std::function<Result<>(const disk::LogRecordView&)> printer(const Wanted& wanted, const WalFlags& flags,
                                                            const std::string& node) {
  return [&wanted, &flags, &node](const disk::LogRecordView& record) -> Result<> {
    if (is_wanted(wanted, flags, record.header)) print(flags, node, record);
    return {};
  };
}

Task<Result<int>> scan(Core& core, disk::Disk& disk, const WalFlags& flags) {
  CO_TRY(const std::vector<LogFolder> logs, find_logs(disk, flags));
  CO_TRY(const Wanted wanted, Wanted::make(disk, flags));
  int status = exit_ok;
  for (const LogFolder& log : logs) {
    CO_TRY(const auto reports, co_await disk::scan_log(core, disk, log.path, printer(wanted, flags, log.name)));
    for (const disk::SegmentReport& report : reports) {
      using State = disk::SegmentReport::State;
      if (report.state == State::good || report.state == State::never_begun) continue;
      fmt::print(stderr, "{} {}: {}{}{}\n", log.name, report.file, name_of(report.state),
                 report.bad > 0 ? fmt::format(" at {}", report.bad) : "", report.reason.empty() ? "" : ", " + report.reason);
      if (report.state != State::torn) status = exit_failed;
    }
  }
  co_return status;
}

void print_json(const Wanted& wanted, const LogFolder& log, const disk::LogVerdict& verdict) {
  fmt::print(R"({{"node":"{}","good":true,"segments":{},"last_sequence":{},"torn_tail":{},"in_use":{},"shards":{{)", log.name,
             verdict.segments, verdict.last_sequence, verdict.torn.has_value(), verdict.in_use.has_value());
  const char* separator = "";
  for (const auto& [id, shard] : verdict.shards) {
    if (!wanted.has(id)) continue;
    fmt::print(R"({}"{}":{{"term":{},"first":{},"last":{}}})", separator, id.value(), shard.term.value(), shard.first.value(),
               shard.last.value());
    separator = ",";
  }
  fmt::print("}}}}\n");
}

void print_verdict(const Wanted& wanted, const LogFolder& log, const disk::LogVerdict& verdict) {
  fmt::print("{}: good, {} segments, {} records\n", log.name, verdict.segments, verdict.last_sequence);
  for (const auto& [id, shard] : verdict.shards) {
    if (!wanted.has(id)) continue;
    fmt::print("  shard {:<4} term {:<4} entries {} to {}\n", id.value(), shard.term.value(), shard.first.value(),
               shard.last.value());
  }
  if (verdict.torn) fmt::print("  a start would cut the unsynced tail: {}\n", *verdict.torn);
  if (verdict.in_use)
    fmt::print("  a process may be writing to it, so the newest records may be half written ({})\n", *verdict.in_use);
}

using Entries = std::map<ShardId, std::pair<Offset, Offset>>;   // first and last that can be read

// Whether every entry that was asked for is there; says on stderr which are not.
bool holds_range(const WalFlags& flags, const std::set<ShardId>& asked, const Entries& entries) {
  bool holds = true;
  for (const ShardId id : asked) {
    const auto found = entries.find(id);
    const bool any = found != entries.end() && found->second.first != no_offset;
    const std::int64_t first = any ? found->second.first.value() : -1, last = any ? found->second.second.value() : -1;
    const bool there = any && first <= flags.offset_first && (flags.offset_last == offset_none || flags.offset_last <= last) &&
                       flags.offset_first <= last;
    if (there) continue;
    holds = false;
    fmt::print(stderr, "shard {}: not all entries that were asked for are in the log{}\n", id.value(),
               any ? fmt::format(", which has {} to {}", first, last) : ", which has none of it");
  }
  return holds;
}

Task<Result<int>> verify(Core& core, disk::Disk& disk, const WalFlags& flags) {
  CO_TRY(const std::vector<LogFolder> logs, find_logs(disk, flags));
  CO_TRY(const Wanted wanted, Wanted::make(disk, flags));
  int status = exit_ok;
  Entries entries;
  for (const LogFolder& log : logs) {
    const Result<disk::LogVerdict> verdict = co_await disk::verify_log(core, disk, log.path);
    if (!verdict) {
      fmt::print(stderr, "{}: {}\n", log.name, verdict.error().message());
      status = exit_failed;
      continue;
    }
    flags.json ? print_json(wanted, log, *verdict) : print_verdict(wanted, log, *verdict);
    for (const auto& [id, shard] : verdict->shards) entries[id] = {shard.first, shard.last};
  }
  if (flags.shard && status == exit_ok && !entries.contains(ShardId(*flags.shard))) {
    co_return fail(Errc::not_found, fmt::format("no log here has a shard {}", *flags.shard));
  }
  const bool range_asked = flags.offset_first > 0 || flags.offset_last != offset_none;
  std::set<ShardId> asked;
  for (const auto& [id, range] : entries) asked.insert(id);
  if (!wanted.all()) asked = wanted.shards();
  if (range_asked && !holds_range(flags, asked, entries)) status = exit_failed;
  co_return status;
}

using Action = Task<Result<int>> (*)(Core&, disk::Disk&, const WalFlags&);

Task<> carry_out(Action action, Core& core, disk::Disk& disk, const WalFlags& flags, std::optional<Result<int>>& outcome) {
  outcome.emplace(co_await action(core, disk, flags));
}

int run(Action action, const WalFlags& flags) {
  const SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  disk::MachineDisk disk(core);
  TaskScope tasks(core);
  std::optional<Result<int>> outcome;
  tasks.spawn(carry_out(action, core, disk, flags, outcome));
  while (!outcome || tasks.size() > 0) {
    if (!core.run_turn()) core.wait(no_deadline);
  }
  return *outcome ? **outcome : report(outcome->error());
}

}  // namespace

void add_wal_command(CLI::App& app, Command& chosen) {
  CLI::App& wal = *app.add_subcommand("wal", "Look into the logs of a data folder, changing nothing");
  wal.footer(exit_statuses_text());
  wal.require_subcommand(1);
  const auto flags = std::make_shared<WalFlags>();
  const auto add = [&](const char* name, const char* help, const char* footer, Action action) {
    CLI::App& command = *wal.add_subcommand(name, help)->footer(footer);
    command.add_option("--data-dir", flags->data_dir, "The data folder")->capture_default_str();
    command.add_option("--wal-dir", flags->wal_dir, "Where the logs are, when not in the data folder");
    command.add_flag("--json", flags->json, "One JSON object a line");
    command.callback([&chosen, flags, action] { chosen = [flags, action] { return run(action, *flags); }; });
    return &command;
  };
  const auto add_range = [&](CLI::App& command, const char* what) {
    command.add_option("--shard", flags->shard, fmt::format("{} this shard's", what))->transform(whole_number<std::int64_t>(0));
    command.add_option("--namespace", flags->name_space, fmt::format("{} this namespace's, as the data folder knows it", what));
    command.add_option("--offset-first", flags->offset_first, fmt::format("{} entries from this offset on", what))
        ->transform(whole_number<std::int64_t>(0));
    command.add_option("--offset-last", flags->offset_last, fmt::format("{} entries up to this offset", what))
        ->transform(whole_number<std::int64_t>(0));
  };
  add_range(*add("scan", "Print every record",
                 "Example:\n  skerry wal scan --data-dir /var/lib/skerry --shard 0 --offset-first 1000", scan),
            "Only");
  add_range(
      *add("verify", "Say whether the logs are whole, and what a start would cut",
           "Reads everything and checks every checksum. Exits with 1 when a log is damaged, and says where; with a range of\n"
           "offsets also when the log doesn't hold all of it. Whether a log reaches as far as the engine beside it is known\n"
           "only to a start, which refuses one that was lost or cut.\n\n"
           "Example:\n  skerry wal verify --data-dir /var/lib/skerry\n"
           "  skerry wal verify --shard 0 --offset-first 1000 --offset-last 2000",
           verify),
      "Tell of and expect");
}

}  // namespace skerry::node
