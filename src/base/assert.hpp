// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace skerry {

// Prints the place and the condition to stderr and aborts the process.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace skerry

// On in every build; a failure means a bug of ours. Bytes from peers, disks and users must never reach one unchecked.
#define SKERRY_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::skerry::assertion_failed(#condition, __FILE__, __LINE__))
