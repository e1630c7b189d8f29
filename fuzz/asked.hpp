// SPDX-License-Identifier: Apache-2.0
// Calls of registered methods, as the input of a fuzz target says them, one after the other:
//   sized method, u8 flags, u8 count, count x sized request
// A name that is no method stands for one of them. What the flags mean is the target's.
#pragma once
#include <cstdint>
#include <iterator>
#include <vector>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "rpc/methods.hpp"

namespace skerry {

struct Asked {
  const rpc::Method* method;
  std::uint8_t flags;
  std::vector<Bytes> requests;
};

inline const rpc::Method& named(const rpc::Methods& methods, BytesView name) {
  if (const rpc::Method* method = methods.find(name)) return *method;
  return std::next(methods.all().begin(), key_hash(name) % methods.all().size())->second;
}

inline Asked take_call(const rpc::Methods& methods, ByteReader& input) {
  constexpr std::size_t requests_max = 8;
  Asked asked{&named(methods, input.sized()), input.little_endian<std::uint8_t>(), {}};
  const std::size_t count = input.little_endian<std::uint8_t>() % (requests_max + 1);
  for (std::size_t i = 0; i < count && input.ok(); ++i) asked.requests.emplace_back(input.sized());
  return asked;
}

}   // namespace skerry
