// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "client/types.hpp"

// What the client subcommands print, as text without the last newline unless said otherwise. Pure.
namespace skerry::node {

// {"key":…,"version_id":…,"created_timestamp":…,…}: what a put prints, and get -v after its value.
std::string version_json(std::string_view key, const client::Version& version);
// For -o json: the same with "value", or "value_base64" when the value is no UTF-8, and "secondary_key" where there is one.
std::string record_json(const client::Record& record);
std::string key_json(std::string_view key);                     // {"key":…}
std::string page_token_json(std::string_view token);            // {"next_page_token":…}
// {"applied":true,"results":[…]}, or {"applied":false,"condition":0,"key":…,"found_version_id":…}
std::string batch_json(const client::BatchResult& result);
std::string rejection_text(const client::BatchRejection& rejection);
std::string change_json(const client::Change& change);
std::string change_text(const client::Change& change);          // KEY_CREATED /a version-id=3
// {"deleted":true,…}
std::string deleted_json(std::string_view key);
std::string range_deleted_json(const client::KeyRange& range);

// Offset, sixteen bytes in hexadecimal, the same as text; each line ends with a newline. Nothing for no bytes.
std::string hex_dump(std::string_view bytes);
// 2026-11-21T06:30:00.123Z
std::string timestamp(WallTime time);

// Between two records of range-scan.
inline constexpr std::string_view record_separator =
    "-------------------------------------------------------------------------------";

}  // namespace skerry::node
