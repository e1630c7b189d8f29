// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <liburing.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <deque>
#include <map>
#include <memory>

#include "disk/helper_thread.hpp"

namespace skerry::disk {

// An open file descriptor, closed when its last user lets go.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  int number() const { return number_; }

 private:
  int number_;
};

enum class SyncKind { data, all };

// Syncs files through io_uring: submitting costs a microsecond, and the completion arrives in the core's loop through an
// eventfd. Owned by its MachineDisk, one core's.
class SyncRing {
 public:
  // Nothing when the kernel, a seccomp filter or a limit does not allow io_uring.
  static std::unique_ptr<SyncRing> open(Core& core);
  SyncRing(const SyncRing&) = delete;
  SyncRing& operator=(const SyncRing&) = delete;
  ~SyncRing();

  // 0, or minus errno.
  Task<long> sync(std::shared_ptr<Descriptor> file, SyncKind kind);

 private:
  struct Request {
    std::shared_ptr<Descriptor> file;
    SyncKind kind;
    std::shared_ptr<PendingCall> pending;
  };
  static constexpr unsigned entries = 64;

  SyncRing(Core& core, io_uring ring, int event);
  void submit_waiting();
  int submit();
  void listen();
  void take_completions();

  Core& core_;
  io_uring ring_;
  asio::posix::basic_stream_descriptor<CoreExecutor> event_;
  std::deque<Request> waiting_;                    // for a free entry of the ring
  std::map<std::uint64_t, Request> submitted_;     // by the number that the kernel hands back
  std::uint64_t next_ = 1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);   // for a wake-up that is already in the loop's queue
};

}  // namespace skerry::disk
