// SPDX-License-Identifier: Apache-2.0
#include "node/cli_backup.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "node/backup_file.hpp"
#include "node/cli_backup_files.hpp"
#include "node/cli_call.hpp"
#include "node/cli_number.hpp"
#include "runtime/clock.hpp"

namespace skerry::node {
namespace {

namespace admin_pb = admin::v1;

constexpr auto backup_method = "/skerry.admin.v1.Backup/Backup";
constexpr auto restore_method = "/skerry.admin.v1.Backup/Restore";
constexpr auto check_method = "/skerry.admin.v1.Backup/CheckRestore";
constexpr auto check_patience = 30s;

struct BackupFlags : ConnectionFlags {
  std::string name_space;
  std::string file = "-";
  Existing existing = Existing::kept;
  std::uint32_t replicas = 0;   // as the server sees fit
  bool json = false, check_only = false;
};

// Tells how far it is, on a terminal, and in the end what was done.
class Report {
 public:
  Report(const BackupFlags& flags, const char* done) : flags_(flags), done_(done) {}

  void show(const BackupCheck& check) {
    const TimePoint now = clock_.now();
    if (!shows_ || now - shown_ < 500ms) return;
    shown_ = now;
    fmt::print(stderr, "\r{} of {} shards, {} records, {:.1f} MB, {:.1f} MB/s ", check.shards(), check.manifest().shards_size(),
               check.records(), megabytes(check), megabytes(check) / seconds());
  }
  // `to`: stdout, unless the backup went there.
  int finish(const BackupCheck& check, const std::string& name, std::FILE* to) const {
    if (shown_ != TimePoint()) fmt::print(stderr, "\r\x1b[K");
    if (!flags_.json) {
      fmt::print(stderr, "{} namespace {}: {} shards, {} records, {:.1f} MB in {:.1f} s\n", done_, name, check.shards(),
                 check.records(), megabytes(check), seconds());
      return exit_ok;
    }
    const boost::json::object out{{"namespace", name},
                                  {"shards", check.shards()},
                                  {"records", check.records()},
                                  {"bytes", check.bytes()},
                                  {"seconds", seconds()},
                                  {"created_millis", check.manifest().created_millis()},
                                  {"from", check.manifest().namespace_()}};
    fmt::print(to, "{}\n", boost::json::serialize(out));
    return exit_ok;
  }

 private:
  double seconds() const { return std::max(1e-3, std::chrono::duration<double>(clock_.now() - start_).count()); }
  static double megabytes(const BackupCheck& check) { return static_cast<double>(check.bytes()) / 1e6; }

  const BackupFlags& flags_;
  const char* const done_;
  SystemClock clock_;
  const TimePoint start_ = clock_.now();
  TimePoint shown_;
  const bool shows_ = ::isatty(STDERR_FILENO) == 1;
};

// --- backup

struct Backup {
  const BackupFlags& flags;
  BackupOutput output;
  Report report{flags, "Backed up"};
  std::optional<BackupCheck> check = std::nullopt;   // once the manifest has come
};

Result<> take(Backup& backup, const admin_pb::BackupPart& part) {
  if (part.has_manifest() && !backup.check) {
    backup.check.emplace(part.manifest());
    TRYV(backup.output.open(backup.flags.file, backup.flags.existing));
    return backup.output.write(encode_preface(part.manifest()));
  }
  if (!part.has_block() || !backup.check) return fail(Errc::corrupt, "the server sent no backup");
  TRYV(backup.check->take(part.block()));
  backup.report.show(*backup.check);
  return backup.output.write(part.block());
}

Task<Talked> receive(rpc::Channel& channel, rpc::Metadata metadata, Backup& backup, Result<>& ours) {
  auto call = co_await channel.open(backup_method, {.deadline = no_deadline, .metadata = std::move(metadata)});
  if (!call) co_return Talked{rpc::Status::from(call.error()), false};
  admin_pb::BackupRequest request;
  request.set_namespace_(backup.flags.name_space);
  static_cast<void>(co_await (*call)->write(request));   // how it ended tells
  static_cast<void>(co_await (*call)->finish_writing());
  admin_pb::BackupPart part;
  for (;;) {
    const auto more = co_await (*call)->read(part);
    if (!more || !*more) break;
    ours = take(backup, part);
    if (!ours) co_return Talked{rpc::Status(rpc::Code::cancelled, "", {}), true};
  }
  rpc::Status status = co_await (*call)->finish();
  co_return Talked{std::move(status), backup.check.has_value()};
}

int run_backup(const BackupFlags& flags) {
  if (flags.file == "-" && ::isatty(STDOUT_FILENO) == 1) {
    return report({Errc::invalid_argument, "a backup is no text for a terminal: name a --file, or send it into a pipe"});
  }
  Backup backup{.flags = flags, .output = {}};
  Result<> ours;
  const Result<> talked = talk_to_server(flags, backup_method, [&](rpc::Channel& channel, rpc::Metadata metadata) {
    return receive(channel, std::move(metadata), backup, ours);
  });
  if (!ours) return report(ours.error());
  if (!talked) return report(talked.error());
  if (!backup.check) return report({Errc::corrupt, "the server sent no backup"});
  if (const auto whole = backup.check->end(); !whole) return report(whole.error());
  if (const auto kept = backup.output.finish(); !kept) return report(kept.error());
  return backup.report.finish(*backup.check, flags.name_space, flags.file == "-" ? stderr : stdout);
}

// --- restore

struct Restore {
  const BackupFlags& flags;
  BackupInput& input;
  Report report{flags, flags.check_only ? "Checked" : "Restored"};
  BackupCheck check;
};

Task<Talked> send(rpc::Channel& channel, rpc::Metadata metadata, Restore& restore, const std::string& name, Result<>& ours) {
  admin_pb::RestoreRequest request;
  request.mutable_wish()->set_namespace_(name);
  request.mutable_wish()->set_replicas(restore.flags.replicas);
  *request.mutable_wish()->mutable_manifest() = restore.check.manifest();
  // A pipe can't be read again for a second server: first ask whether this one would take it.
  const SystemClock clock;
  admin_pb::CheckRestoreResponse checked;
  const rpc::CallOptions asking{.deadline = clock.now() + check_patience, .metadata = metadata};
  if (auto status = co_await channel.unary(check_method, request.wish(), checked, asking); !status.ok())
    co_return Talked{std::move(status)};
  auto call = co_await channel.open(restore_method, {.deadline = no_deadline, .metadata = std::move(metadata)});
  if (!call) co_return Talked{rpc::Status::from(call.error()), false};
  bool taken = (co_await (*call)->write(request)).has_value();
  while (taken) {
    const auto block = restore.input.next_block(restore.check);
    if (!block) {
      ours = fail(block.error());
      co_return Talked{rpc::Status(rpc::Code::cancelled, "", {}), true};
    }
    if (!*block) break;
    restore.report.show(restore.check);
    request.set_block((*block)->data(), (*block)->size());
    taken = (co_await (*call)->write(request)).has_value();
  }
  if (taken) static_cast<void>(co_await (*call)->finish_writing());
  admin_pb::RestoreResponse reply;
  static_cast<void>(co_await (*call)->read(reply));
  rpc::Status status = co_await (*call)->finish();
  co_return Talked{.status = std::move(status),
                   .begun = restore.check.bytes() > 0,
                   .change_sent = taken};   // of half a backup nothing is made
}

Result<> only_check(Restore& restore) {
  for (;;) {
    TRY(const auto block, restore.input.next_block(restore.check));
    if (!block) return {};
    restore.report.show(restore.check);
  }
}

int run_restore(const BackupFlags& flags) {
  BackupInput input;
  const auto manifest = input.open(flags.file);
  if (!manifest) return report(manifest.error());
  const std::string name = flags.name_space.empty() || flags.check_only ? manifest->namespace_() : flags.name_space;
  Restore restore{.flags = flags, .input = input, .check = BackupCheck(*manifest)};
  Result<> ours;
  if (flags.check_only) {
    ours = only_check(restore);
  } else {
    const Result<> talked = talk_to_server(flags, check_method, [&](rpc::Channel& channel, rpc::Metadata metadata) {
      return send(channel, std::move(metadata), restore, name, ours);
    });
    if (ours && !talked) return report(talked.error());
  }
  if (!ours) return report(ours.error());
  return restore.report.finish(restore.check, name, stdout);
}

CLI::App& add_command(CLI::App& app, const char* name, const char* help, const std::shared_ptr<BackupFlags>& flags) {
  CLI::App& command = *app.add_subcommand(name, help);
  add_connection_options(command, *flags);
  // A backup takes as long as it takes.
  command.remove_option(command.get_option("--request-timeout"));
  const auto take_format = [flags = flags.get()](const std::string& format) { flags->json = format == "json"; };
  command.add_option_function<std::string>("-o,--output", take_format, "How the outcome is told")
      ->type_name("text|json")
      ->transform(CLI::IsMember({"text", "json"}, CLI::ignore_case))
      ->option_text("text|json (text)");
  return command;
}

}  // namespace

void add_backup_commands(CLI::App& app, Command& chosen) {
  const auto saved = std::make_shared<BackupFlags>();
  saved->name_space = "default";
  CLI::App& backup = add_command(app, "backup", "Save a namespace while it serves", saved);
  backup.footer(
      "A cluster's goes through its coordinator.\n\nExample:\n  skerry backup -n default -f default.skerry\n"
      "  skerry backup | zstd > default.skerry.zst\n  skerry backup -a localhost:6651 -n logs -f logs.skerry\n\n" +
      exit_statuses_text());
  backup.add_option("-n,--namespace", saved->name_space, "The namespace")->capture_default_str();
  backup.add_option("-f,--file", saved->file, "Where to; - for standard output")->capture_default_str();
  backup.add_flag_callback(
      "--force", [flags = saved.get()] { flags->existing = Existing::replaced; }, "Replace the file if there is one");
  backup.callback([&chosen, saved] { chosen = [saved] { return run_backup(*saved); }; });

  const auto back = std::make_shared<BackupFlags>();
  CLI::App& restore = add_command(app, "restore", "Make a namespace from a backup", back);
  restore.footer(
      "What a standalone has saved can be restored in a cluster, through its coordinator, and the other way round.\n\n"
      "Example:\n  skerry restore -n copy -f default.skerry\n  zstd -dc default.skerry.zst | skerry restore -n copy\n"
      "  skerry restore -a localhost:6651 -n logs -f logs.skerry --replication-factor 3\n\n" +
      exit_statuses_text());
  restore.add_option("-n,--namespace", back->name_space, "The namespace to make; that of the backup when it is not given");
  restore.add_option("-f,--file", back->file, "Where from; - for standard input")->capture_default_str();
  restore
      .add_option("--replication-factor", back->replicas,
                  "In a cluster: copies of each shard; without it as many as there were, 3 of what comes from a standalone")
      ->transform(whole_number<std::uint32_t>());
  restore.add_flag("--check", back->check_only, "Only read the backup and say whether it is whole; asks no server");
  restore.callback([&chosen, back] { chosen = [back] { return run_restore(*back); }; });
}

}  // namespace skerry::node
