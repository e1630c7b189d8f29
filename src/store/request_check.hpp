// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.hpp"
#include "store/operations.hpp"

namespace skerry::store {

// Whether requests are well formed and within the limits of base/limits.hpp, as far as that shows without state. Errors name the
// operation, the field and the limit: invalid_argument, or resource_exhausted for what only is too large.
Result<> check_write(const WriteRequest& request);
Result<> check_get(const Get& get);
Result<> check_range(const Range& range);
Result<> check_session_identity(BytesView client_identity);

}  // namespace skerry::store
