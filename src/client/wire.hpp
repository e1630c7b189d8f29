// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "client/types.hpp"
#include "oxia/client.pb.h"
#include "skerry/store/v1/store.pb.h"

// Between the wire's messages and the client's types. All bytes come from a server and are taken as they are.
namespace skerry::client {

Version from_wire(const io::oxia::proto::v1::Version& version);
Version from_wire(const store::v1::Version& version);
// Takes the value out of the message. `asked_key` is the key of the request, for answers that leave it out.
Record from_wire(io::oxia::proto::v1::GetResponse& response, std::string asked_key);
Record from_wire(store::v1::GetResponse& response, std::string asked_key);
WallTime wall_time(std::uint64_t millis);

}  // namespace skerry::client
