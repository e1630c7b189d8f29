// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <signal.h>

#include <optional>

namespace skerry {

// While it lives, the calling thread takes no signals. A thread that is started meanwhile never does: the signals of the process
// are the main thread's.
class SignalsBlocked {
 public:
  SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked();

 private:
  sigset_t before_;
};

// SIGTERM, SIGINT and SIGHUP as something to wait for. The main thread's: made before the threads that must not see them.
// SIGPIPE is ignored from then on: a peer that goes away is an error of its write.
class ProcessSignals {
 public:
  ProcessSignals();
  ProcessSignals(const ProcessSignals&) = delete;
  ProcessSignals& operator=(const ProcessSignals&) = delete;
  ~ProcessSignals();

  int descriptor() const { return descriptor_; }   // readable when one has come
  std::optional<int> take();                       // its number

 private:
  sigset_t before_;
  int descriptor_;
};

}  // namespace skerry
