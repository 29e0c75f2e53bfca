// A model as anybody may write it: taken, or refused with file and line; what is taken decides.
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "security/casbin/enforcer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn::security::casbin;
  const auto model = Model::Parse({reinterpret_cast<const char*>(data), size}, "m.conf");
  if (!model.ok()) {
    CAIRN_CHECK(model.status().message().find("m.conf:") == 0, "an error names the file");
    return 0;
  }
  const auto enforcer = Enforcer::Create(*model, "", {.cached_decisions = 0});
  if (!enforcer.ok()) return 0;
  const std::vector<RequestValue> request((*model)->names().requests[0].names.size(), "a");
  (void)(*enforcer)->Enforce(request);
  return 0;
}
