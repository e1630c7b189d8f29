// SPDX-License-Identifier: Apache-2.0
#include "disk/machine_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "disk/helper_thread.hpp"
#include "disk/log.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::disk {
namespace {

class MachineDiskTest : public testing::TestWithParam<MachineDisk::SyncBy> {
 protected:
  MachineDiskTest() {
    std::string name = (std::filesystem::temp_directory_path() / "skerry-disk-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~MachineDiskTest() override { std::filesystem::remove_all(folder_); }

  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result = co_await std::move(task);
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    tasks_.spawn(keep(std::move(task), result));
    const TimePoint deadline = clock_.now() + 60s;
    while (!result && clock_.now() < deadline) {
      if (!core_.run_turn()) core_.wait(clock_.now() + 100ms);
    }
    EXPECT_TRUE(result.has_value());
    return std::move(result.value());
  }

  std::string folder_;
  SystemClock clock_;
  Core core_{CoreId{0}, clock_, 1};
  MachineDisk disk_{core_, GetParam()};
  TaskScope tasks_{core_};
};

INSTANTIATE_TEST_SUITE_P(SyncedBy, MachineDiskTest,
                         testing::Values(MachineDisk::SyncBy::io_uring_if_allowed, MachineDisk::SyncBy::helper_thread),
                         [](const auto& each) {
                           return each.param == MachineDisk::SyncBy::helper_thread ? "helper_thread" : "io_uring";
                         });

TEST_P(MachineDiskTest, what_was_written_in_pieces_is_read_back_whole) {
  const auto file = disk_.open(folder_ + "/file", OpenMode::create);
  ASSERT_TRUE(file);
  std::vector<std::string> pieces;
  std::string all;
  for (int i = 0; i < 150; ++i) all += pieces.emplace_back(static_cast<std::size_t>(i * 7), static_cast<char>('a' + i % 26));
  const std::vector<BytesView> views(pieces.begin(), pieces.end());
  ASSERT_TRUE((*file)->write_at(100, views));
  ASSERT_TRUE(run((*file)->sync()));
  EXPECT_EQ(*(*file)->size(), 100 + all.size());
  EXPECT_EQ(*run((*file)->read(100, all.size() + 999)), all);
  Bytes some(10, '\0');
  EXPECT_EQ(*(*file)->read_at(100 + all.size() - 4, some), 4U);
  EXPECT_EQ(some.substr(0, 4), all.substr(all.size() - 4));
}

TEST_P(MachineDiskTest, many_syncs_at_once_all_end) {
  TaskScope tasks(core_);
  std::vector<std::unique_ptr<File>> files;
  std::vector<std::optional<Result<>>> results(100);
  for (std::size_t i = 0; i < results.size(); ++i) {
    files.push_back(*disk_.open(folder_ + "/" + std::to_string(i), OpenMode::create));
    const BytesView piece = "x";
    ASSERT_TRUE(files.back()->write_at(0, {&piece, 1}));
    tasks.spawn(keep(files.back()->sync(), results[i]));
  }
  const TimePoint deadline = clock_.now() + 60s;
  while (tasks.size() > 0 && clock_.now() < deadline) {
    if (!core_.run_turn()) core_.wait(clock_.now() + 100ms);
  }
  for (const auto& result : results) ASSERT_TRUE(result && *result);
}

// It may be started before the process claims its signals; a SIGTERM that it took would kill without stopping.
TEST_P(MachineDiskTest, its_helper_thread_takes_no_signals) {
  HelperThread helper(core_);
  const auto blocks_sigterm = []() -> long {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    return ::sigismember(&blocked, SIGTERM);
  };
  EXPECT_EQ(run(helper.run(blocks_sigterm)), 1);
}

TEST_P(MachineDiskTest, errors_name_path_operation_reason_and_remedy) {
  const auto missing = disk_.open(folder_ + "/missing", OpenMode::read);
  EXPECT_EQ(missing.error(), Errc::not_found);
  EXPECT_EQ(missing.error().message(), folder_ + "/missing: cannot open: No such file or directory");
  ASSERT_TRUE(disk_.open(folder_ + "/file", OpenMode::create));
  EXPECT_EQ(disk_.open(folder_ + "/file", OpenMode::create).error(), Errc::already_exists);
  const auto below_a_file = disk_.make_folders(folder_ + "/file/below");
  EXPECT_EQ(below_a_file.error(), Errc::io_failed);
  EXPECT_THAT(below_a_file.error().message(), testing::HasSubstr("a part of the path is not a folder"));
  const auto unwritable = disk_.open(folder_ + "/file", OpenMode::read);
  const BytesView piece = "x";
  EXPECT_THAT((*unwritable)->write_at(0, {&piece, 1}).error().message(), testing::HasSubstr(folder_ + "/file: cannot write"));
}

TEST_P(MachineDiskTest, a_full_device_is_told_from_other_failures) {
  const auto full = disk_.open("/dev/full", OpenMode::read_write);
  if (!full) GTEST_SKIP() << "this machine has no /dev/full";
  const BytesView piece = "x";
  const auto written = (*full)->write_at(0, {&piece, 1});
  EXPECT_EQ(written.error(), Errc::resource_exhausted);
  EXPECT_THAT(written.error().message(), testing::HasSubstr("the disk is full: free some space"));
}

TEST_P(MachineDiskTest, a_failing_sync_is_an_error) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const auto pipe = disk_.open(fmt::format("/proc/self/fd/{}", ends[1]), OpenMode::read_write);   // pipes can't be synced
  ASSERT_TRUE(pipe) << pipe.error().message();
  const auto synced = run((*pipe)->sync());
  ASSERT_FALSE(synced);
  EXPECT_THAT(synced.error().message(), testing::HasSubstr("cannot sync"));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(MachineDiskTest, folders_are_made_listed_synced_and_renamed_in) {
  ASSERT_TRUE(disk_.make_folders(folder_ + "/a/b"));
  ASSERT_TRUE(disk_.make_folders(folder_ + "/a/b"));
  ASSERT_TRUE(disk_.open(folder_ + "/a/b/2", OpenMode::create));
  ASSERT_TRUE(disk_.open(folder_ + "/a/b/1", OpenMode::create));
  ASSERT_TRUE(disk_.rename(folder_ + "/a/b/2", folder_ + "/a/b/0"));
  EXPECT_TRUE(run(disk_.sync_folder(folder_ + "/a/b")));
  EXPECT_THAT(*disk_.list(folder_ + "/a/b"), testing::ElementsAre("0", "1"));
  ASSERT_TRUE(disk_.remove(folder_ + "/a/b/0"));
  EXPECT_FALSE(*disk_.exists(folder_ + "/a/b/0"));
  EXPECT_GT(*disk_.free_bytes(folder_), 0U);
  EXPECT_EQ(disk_.list(folder_ + "/none").error(), Errc::not_found);
}

TEST_P(MachineDiskTest, replacing_a_file_leaves_the_new_content_and_nothing_beside) {
  for (const std::string content : {"first", "second, longer"}) {
    ASSERT_TRUE(run(replace_file(disk_, folder_ + "/status", content)));
    EXPECT_EQ(*read_file(disk_, folder_ + "/status"), content);
  }
  EXPECT_THAT(*disk_.list(folder_), testing::ElementsAre("status"));
}

TEST_P(MachineDiskTest, a_folder_has_one_owner_who_is_named) {
  auto held = disk_.lock(folder_);
  ASSERT_TRUE(held);
  const auto refused = disk_.lock(folder_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::already_exists);
  EXPECT_THAT(refused.error().message(), testing::HasSubstr(fmt::format("in use by process {}", ::getpid())));
  held->reset();
  EXPECT_TRUE(disk_.lock(folder_));
}

TEST_P(MachineDiskTest, the_lock_of_a_killed_process_is_free) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open((folder_ + "/LOCK").c_str(), O_RDWR | O_CREAT, 0640);
    const bool locked = ::flock(file, LOCK_EX | LOCK_NB) == 0;
    if (::write(ends[1], locked ? "y" : "n", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char locked = 0;
  ASSERT_EQ(::read(ends[0], &locked, 1), 1);
  EXPECT_EQ(locked, 'y');
  EXPECT_FALSE(disk_.lock(folder_));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(disk_.lock(folder_));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(MachineDiskTest, a_log_on_the_real_file_system_comes_back) {
  const LogOptions options{.segment_bytes = 64 << 10};
  std::int64_t next = 0;
  for (int life = 0; life < 3; ++life) {
    auto log = run(Log::open(core_, disk_, folder_ + "/log", options));
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ((*log)->shard(ShardId(1)).last, Offset(next - 1));
    for (int i = 0; i < 300; ++i, ++next) {
      const std::string payload(500, static_cast<char>('a' + next % 26));
      const auto sequence = (*log)->append(ShardId(1), Term(1), Offset(next), payload);
      ASSERT_TRUE(sequence);
      if (i % 10 == 9) ASSERT_TRUE(run((*log)->wait_synced(*sequence)));
    }
    ASSERT_TRUE((*log)->trim(ShardId(1), Offset(next - 150)));
    const auto entries = run((*log)->read(ShardId(1), Offset(next - 150), 1 << 20));
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 150U);
    for (const LogEntry& entry : *entries) {
      ASSERT_EQ(entry.payload, std::string(500, static_cast<char>('a' + entry.offset.value() % 26)));
    }
    ASSERT_TRUE(run((*log)->stop()));
  }
  EXPECT_LE(disk_.list(folder_ + "/log")->size(), 10U);
}

// RLIMIT_FSIZE makes writes fail beyond a size without any rights: the child is the process that meets it.
TEST_P(MachineDiskTest, a_write_that_is_cut_short_by_a_limit_fails_with_the_reason) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{32 << 10, 32 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto file = disk_.open(folder_ + "/file", OpenMode::create);
    const Bytes content(64 << 10, 'x');
    const BytesView piece = content;
    const auto written = file ? (*file)->write_at(0, {&piece, 1}) : Result<>{};
    ::_exit(!written && written.error().message().find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace skerry::disk
