// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "oxia/client.pb.h"
#include "serve/convert.hpp"
#include "serve/oxia_error.hpp"
#include "serve/plain_messages.hpp"
#include "serve/store_v1_convert.hpp"
#include "serve/store_v1_error.hpp"

// What a stream of writes must know of the protocol that it speaks.
namespace skerry::serve {

struct OxiaWrites {
  using Request = proto::WriteRequest;
  using Reply = proto::WriteResponse;
  using View = WriteView;
  static std::optional<store::RequestId> id(const Request&) { return std::nullopt; }
  static void append(Bytes& out, const store::WriteOutcome& outcome) { append_write_response(out, outcome); }
  static rpc::Status status(const Error& error) { return oxia_status(error); }
};

struct StoreV1Writes {
  using Request = v1::WriteRequest;
  using Reply = v1::WriteResponse;
  using View = StoreV1View;
  static std::optional<store::RequestId> id(const Request& request) { return request_id_of(request); }
  static void append(Bytes& out, store::WriteOutcome outcome) {
    Reply reply;
    fill(reply, std::move(outcome));
    reply.AppendToString(&out);
  }
  static rpc::Status status(const Error& error) { return store_v1_status(error); }
};

}  // namespace skerry::serve
