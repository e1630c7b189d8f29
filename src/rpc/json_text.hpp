// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "rpc/methods.hpp"

// Messages, errors and descriptions as JSON: plain functions over text.
namespace skerry::rpc {

// The objects of a body: one after the other, with or without commas between them, or in one array. Only their ends are looked
// for, not what is in them. Fails with invalid_argument, and says at which byte.
Result<std::vector<std::string_view>> split_json(std::string_view body, std::size_t count_max);

// protobuf's mapping: a field that is null is as one that is not there. Fails with invalid_argument, and says which field.
Result<> parse_json(std::string_view text, google::protobuf::Message& into);
// On one line; fields without presence are there also when they have their default.
std::string to_json(const google::protobuf::Message& message);

// {"error": …}: gRPC's status by number and name, the text, ErrorInfo where there is one, and what to do.
std::string error_json(const Status& status);
int http_status(Code code);

// How a method is called: its messages, and examples of them.
std::string description_json(const Method& method);
// One line of a list.
std::string summary_json(const Method& method);

}   // namespace skerry::rpc
