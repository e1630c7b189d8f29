// SPDX-License-Identifier: Apache-2.0
#include "node/wal_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <limits>
#include <memory>

#include "disk/log_inspect.hpp"
#include "disk/machine_disk.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

struct WalFlags {
  std::string data_dir = "./data";
  std::string wal_dir;
  std::optional<std::int64_t> shard;
  std::int64_t offset_first = 0;
  std::int64_t offset_last = std::numeric_limits<std::int64_t>::max();
  bool json = false;
};

// One log of the folder, by the name it is told under.
struct LogFolder {
  std::string name;   // "node-0"
  std::string path;
};

Result<std::vector<LogFolder>> find_logs(const disk::Disk& disk, const WalFlags& flags) {
  const std::string root = flags.wal_dir.empty() ? flags.data_dir : flags.wal_dir;
  TRY(const std::vector<std::string> names, disk.list(root));
  std::vector<LogFolder> found;
  for (const std::string& name : names) {
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

bool wanted(const WalFlags& flags, const disk::RecordHeader& header) {
  if (flags.shard && (is_of_the_log(header.kind) || header.shard.value() != *flags.shard)) return false;
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
std::function<Result<>(const disk::LogRecordView&)> printer(const WalFlags& flags, const std::string& node) {
  return [&flags, &node](const disk::LogRecordView& record) -> Result<> {
    if (wanted(flags, record.header)) print(flags, node, record);
    return {};
  };
}

Task<Result<int>> scan(Core& core, disk::Disk& disk, const WalFlags& flags) {
  CO_TRY(const std::vector<LogFolder> logs, find_logs(disk, flags));
  int status = exit_ok;
  for (const LogFolder& log : logs) {
    CO_TRY(const auto reports, co_await disk::scan_log(core, disk, log.path, printer(flags, log.name)));
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

void print_verdict(const WalFlags& flags, const LogFolder& log, const disk::LogVerdict& verdict) {
  if (flags.json) {
    fmt::print(R"({{"node":"{}","good":true,"segments":{},"last_sequence":{},"torn_tail":{},"in_use":{},"shards":{{)", log.name,
               verdict.segments, verdict.last_sequence, verdict.torn.has_value(), verdict.in_use.has_value());
    const char* separator = "";
    for (const auto& [id, shard] : verdict.shards) {
      fmt::print(R"({}"{}":{{"term":{},"first":{},"last":{}}})", separator, id.value(), shard.term.value(), shard.first.value(),
                 shard.last.value());
      separator = ",";
    }
    fmt::print("}}}}\n");
    return;
  }
  fmt::print("{}: good, {} segments, {} records\n", log.name, verdict.segments, verdict.last_sequence);
  for (const auto& [id, shard] : verdict.shards) {
    fmt::print("  shard {:<4} term {:<4} entries {} to {}\n", id.value(), shard.term.value(), shard.first.value(),
               shard.last.value());
  }
  if (verdict.torn) fmt::print("  a start would cut the unsynced tail: {}\n", *verdict.torn);
  if (verdict.in_use)
    fmt::print("  a process may be writing to it, so the newest records may be half written ({})\n", *verdict.in_use);
}

Task<Result<int>> verify(Core& core, disk::Disk& disk, const WalFlags& flags) {
  CO_TRY(const std::vector<LogFolder> logs, find_logs(disk, flags));
  int status = exit_ok;
  for (const LogFolder& log : logs) {
    const Result<disk::LogVerdict> verdict = co_await disk::verify_log(core, disk, log.path);
    if (verdict) {
      print_verdict(flags, log, *verdict);
    } else {
      fmt::print(stderr, "{}: {}\n", log.name, verdict.error().message());
      status = exit_failed;
    }
  }
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
  CLI::App* scanning = add("scan", "Print every record",
                           "Example:\n  skerry wal scan --data-dir /var/lib/skerry --shard 0 --offset-first 1000", scan);
  scanning->add_option("--shard", flags->shard, "Only this shard's");
  scanning->add_option("--offset-first", flags->offset_first, "Only entries from this offset on")->check(CLI::NonNegativeNumber);
  scanning->add_option("--offset-last", flags->offset_last, "Only entries up to this offset")->check(CLI::NonNegativeNumber);
  add("verify", "Say whether the logs are whole, and what a start would cut",
      "Reads everything and checks every checksum. Exits with 1 when a log is damaged, and says where. Whether a log\n"
      "reaches as far as the engine beside it is known only to a start, which refuses one that was lost or cut.\n\n"
      "Example:\n  skerry wal verify --data-dir /var/lib/skerry",
      verify);
}

}  // namespace skerry::node
