// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_log.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>

#include "runtime/clock.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t line_bytes_max = 4096, file_bytes_max = 1 << 20;

class Log final : public rocksdb::Logger {
 public:
  explicit Log(const std::string& folder) : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), path_(folder + "/LOG") {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() override { close(); }

  using Logger::Logv;
  void Logv(const char* format, std::va_list arguments) override {
    char text[line_bytes_max];
    std::vsnprintf(text, sizeof text, format, arguments);
    const std::string line = fmt::format("{:%FT%T}Z {}\n", SystemClock().wall(), text);
    const std::lock_guard lock(mutex_);
    if (file_ < 0 || bytes_ > file_bytes_max) begin();
    if (file_ < 0) return;
    const auto written = ::write(file_, line.data(), line.size());
    if (written > 0) bytes_ += static_cast<std::size_t>(written);
  }

 private:
  void begin() {
    close();
    std::rename(path_.c_str(), (path_ + ".old").c_str());
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bytes_ = 0;
  }
  void close() {
    if (file_ >= 0) ::close(file_);
  }

  const std::string path_;
  std::mutex mutex_;
  int file_ = -1;
  std::size_t bytes_ = 0;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> rocksdb_log(const std::string& folder) { return std::make_shared<Log>(folder); }

}  // namespace skerry::store
