// What is asked: "may alice read data1", as values in the order of the model's r. Borrowed: valid
// for the call.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace cairn::security::casbin {

// A text, or an object whose members a matcher reads (ABAC).
struct RequestValue {
  std::string_view text;
  const nlohmann::json* object = nullptr;

  RequestValue(std::string_view value) : text(value) {}    // NOLINT(google-explicit-constructor)
  RequestValue(const std::string& value) : text(value) {}  // NOLINT(google-explicit-constructor)
  RequestValue(const char* value) : text(value) {}         // NOLINT(google-explicit-constructor)
  RequestValue(const nlohmann::json* value)
      : object(value) {}  // NOLINT(google-explicit-constructor)
};

// Which definitions of the model a request uses; Casbin's EnforceContext. The number is that behind
// the letter: 1 is r, p, e and m, 2 is r2, p2, e2 and m2.
struct Context {
  int request = 1;
  int policy = 1;
  int effect = 1;
  int matcher = 1;
};

}  // namespace cairn::security::casbin
