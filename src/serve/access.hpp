// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

#include "auth/caller.hpp"
#include "rpc/methods.hpp"

namespace skerry::serve {

// Where a caller must hold the role that a method asks for.
enum class AccessScope : std::uint8_t {
  open,        // nowhere: strangers may call it
  anywhere,    // in some namespace
  one,         // in the namespace that the request is about, which its handler finds and hands to refuse_access()
  everywhere,  // in "*": it concerns the whole store
};

struct Access {
  auth::Role role;
  AccessScope scope;
};

// What each method asks of its caller; the only place where that stands. A method that is not in the table asks for the role of
// an administrator everywhere, so that a new one is closed until somebody has thought about it.
Access access_to(std::string_view method);   // "/package.Service/Method"

// What can be said before the request was read: nothing, or how to refuse.
std::optional<rpc::Status> refuse_access(const auth::Caller& caller, std::string_view method);
// The rest, for methods of scope `one`, once the namespace is known. A call without a caller passes: nobody is asked who they
// are.
std::optional<rpc::Status> refuse_access(const rpc::ServerCall& call, std::string_view name_space);

}   // namespace skerry::serve
